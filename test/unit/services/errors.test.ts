import { Code } from "@connectrpc/connect";
import { describe, expect, it, vi } from "vitest";
import { ErrorReason } from "../../../gen/baccarat/v1/errors_pb.ts";
import {
  frameCode,
  fromErrorReason,
  REASONS,
  type Reason,
  RoomError,
  toErrorReason,
  toRoomError,
} from "../../../services/errors.ts";

const ALL = Object.keys(REASONS) as Reason[];

describe("REASONS", () => {
  it.each<[Reason, Code, boolean, number | undefined]>([
    ["bad_frame", Code.InvalidArgument, false, 4500],
    ["unknown_type", Code.InvalidArgument, false, undefined],
    ["invalid_argument", Code.InvalidArgument, false, undefined],
    ["message_too_large", Code.InvalidArgument, false, undefined],
    ["unauthenticated", Code.Unauthenticated, false, 4501],
    ["permission_denied", Code.PermissionDenied, false, undefined],
    ["room_not_found", Code.NotFound, false, undefined],
    ["not_a_member", Code.FailedPrecondition, false, undefined],
    ["room_full", Code.ResourceExhausted, true, undefined],
    ["too_many_rooms", Code.ResourceExhausted, false, undefined],
    ["banned", Code.PermissionDenied, false, undefined],
    ["muted", Code.PermissionDenied, false, undefined],
    ["rate_limited", Code.ResourceExhausted, true, 4004],
    ["unavailable", Code.Unavailable, true, undefined],
    ["internal", Code.Internal, false, undefined],
    ["already_exists", Code.AlreadyExists, false, undefined],
    ["not_found", Code.NotFound, false, undefined],
    ["epoch_changed", Code.FailedPrecondition, false, undefined],
    ["too_old", Code.OutOfRange, false, undefined],
    ["unknown_position", Code.OutOfRange, false, undefined],
    ["slow_consumer", Code.ResourceExhausted, true, undefined],
    ["snapshot_full", Code.ResourceExhausted, false, undefined],
  ])("%s", (reason, rpc, retryable, close) => {
    expect(REASONS[reason]).toEqual(close === undefined ? { rpc, retryable } : { rpc, retryable, close });
    expect(new RoomError(reason, "text").retryable).toBe(retryable);
  });

  it("has a value of the schema for each, and none is left over", () => {
    const values = ALL.map(toErrorReason);
    expect(values.map(fromErrorReason)).toEqual(ALL);
    const known = Object.values(ErrorReason).filter((value) => value !== ErrorReason.UNSPECIFIED);
    expect([...values].sort()).toEqual([...known].sort());
  });

  it.each([ErrorReason.UNSPECIFIED, 9_999 as ErrorReason])("takes %i, unknown to this version, for internal", (value) =>
    expect(fromErrorReason(value)).toBe("internal"),
  );

  it("gives frames the codes of the protocol only", () => {
    expect(frameCode("not_found")).toBe("invalid_argument");
    expect(frameCode("already_exists")).toBe("invalid_argument");
    expect(frameCode("muted")).toBe("muted");
  });

  it("tells by the close code alone whether to come back", () => {
    for (const row of Object.values(REASONS)) {
      if ("close" in row) expect(row.close < 4_500).toBe(row.retryable);
    }
  });
});

describe("RoomError", () => {
  it("carries what the caller may know, and the cause for the log", () => {
    const cause = new Error("disk");
    const error = new RoomError("muted", "later", { retryAfterMs: 5, metadata: { room: "a" }, cause });
    expect(error).toMatchObject({
      name: "RoomError",
      message: "later",
      retryAfterMs: 5,
      metadata: { room: "a" },
      cause,
    });
    expect(new RoomError("muted", "later")).toMatchObject({ retryAfterMs: 0, metadata: {} });
  });
});

describe("toRoomError", () => {
  it("leaves a RoomError as it is", () => {
    const unexpected = vi.fn();
    const error = new RoomError("banned", "no");
    expect(toRoomError(error, unexpected)).toBe(error);
    expect(unexpected).not.toHaveBeenCalled();
  });

  it.each([[new Error("password is hunter2")], ["hunter2"], [undefined]])("hides %s behind a number", (thrown) => {
    const unexpected = vi.fn();
    const error = toRoomError(thrown, unexpected);
    expect(error.reason).toBe("internal");
    expect(error.cause).toBe(thrown);
    expect(error.message).not.toContain("hunter2");
    const [heard, correlationId] = unexpected.mock.calls[0] ?? [];
    expect(heard).toBe(thrown);
    expect(error.message).toContain(correlationId);
  });
});
