import { Code, ConnectError } from "@connectrpc/connect";
import { CommanderError } from "commander";
import { describe, expect, it } from "vitest";
import { CliError, describeFailure, EXIT, EXIT_MEANINGS } from "../../../cli/exit-codes.ts";
import { ErrorInfoSchema, ErrorReason } from "../../../gen/baccarat/v1/errors_pb.ts";

describe("exit codes", () => {
  it.each([
    [Code.InvalidArgument, EXIT.usage, "invalid_argument"],
    [Code.Unavailable, EXIT.unavailable, "unavailable"],
    [Code.DeadlineExceeded, EXIT.unavailable, "deadline_exceeded"],
    [Code.Unauthenticated, EXIT.permission, "unauthenticated"],
    [Code.PermissionDenied, EXIT.permission, "permission_denied"],
    [Code.NotFound, EXIT.failure, "not_found"],
    [Code.Internal, EXIT.failure, "internal"],
  ])("of RPC code %i: %i", (code, exitCode, name) => {
    expect(describeFailure(new ConnectError("why", code))).toMatchObject({ exitCode, code: name, message: "why" });
  });

  it("name the reason the server gave", () => {
    const info = { desc: ErrorInfoSchema, value: { reason: ErrorReason.ROOM_NOT_FOUND } };
    const error = new ConnectError("there is no such room", Code.NotFound, undefined, [info]);
    expect(describeFailure(error)).toMatchObject({ code: "room_not_found", exitCode: EXIT.failure });
  });

  it("say what to do where that is known", () => {
    expect(describeFailure(new ConnectError("", Code.Unavailable)).hint).toContain("ROOMCTL_URL");
    expect(describeFailure(new ConnectError("", Code.Unauthenticated)).hint).toContain("ROOMCTL_TOKEN");
  });

  it("of errors that are no RPC's", () => {
    expect(describeFailure(new CliError("both", EXIT.usage))).toMatchObject({ exitCode: 2, message: "both" });
    expect(describeFailure(new Error("broken"))).toMatchObject({ exitCode: 1, message: "broken" });
    expect(describeFailure("text")).toMatchObject({ exitCode: 1, message: "text" });
    expect(describeFailure(new CommanderError(1, "commander.unknownOption", "said"))).toMatchObject({ exitCode: 2 });
    expect(describeFailure(new CommanderError(0, "commander.helpDisplayed", ""))).toMatchObject({ exitCode: 0 });
  });

  it("all have a meaning", () => {
    expect([...EXIT_MEANINGS.keys()]).toEqual([0, 1, 2, 69, 77]);
  });
});
