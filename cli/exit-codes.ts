import { Code, ConnectError } from "@connectrpc/connect";
import { CommanderError } from "commander";
import { type ErrorInfo, ErrorInfoSchema } from "../gen/baccarat/v1/errors_pb.ts";
import { fromErrorReason } from "../services/errors.ts";

/** Exit codes, and what each means: 69 and 77 as in sysexits.h. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  unavailable: 69,
  permission: 77,
} as const;

/** The same for --help and docs/cli.md. */
export const EXIT_MEANINGS: ReadonlyMap<number, string> = new Map([
  [EXIT.ok, "done"],
  [EXIT.failure, "it was refused or failed, or doctor found something wrong"],
  [EXIT.usage, "what was typed is wrong"],
  [EXIT.unavailable, "RoomService, or what it needs, does not answer; the same command may work later"],
  [EXIT.permission, "the token is missing, unknown, or lacks a scope"],
]);

/** An error of roomctl's own that says all there is to say. */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.failure) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** How a command failed. */
export interface Failure {
  readonly exitCode: number;
  /** A frame's error code, or the RPC code where there is no such thing; empty for errors of roomctl's own. */
  readonly code: string;
  readonly message: string;
  /** What to do about it; empty when nothing more is known. */
  readonly hint: string;
}

const BY_CODE: ReadonlyMap<Code, number> = new Map([
  [Code.InvalidArgument, EXIT.usage],
  [Code.Unavailable, EXIT.unavailable],
  [Code.DeadlineExceeded, EXIT.unavailable],
  [Code.Unauthenticated, EXIT.permission],
  [Code.PermissionDenied, EXIT.permission],
]);

const HINTS: ReadonlyMap<Code, string> = new Map([
  [Code.Unavailable, "--url or ROOMCTL_URL says where RoomService is; roomctl doctor looks for what is wrong"],
  [Code.Unauthenticated, "put the secret of a token from the server's RPC_TOKENS into ROOMCTL_TOKEN"],
  [Code.PermissionDenied, "use a token that has the scope"],
  [Code.Unimplemented, "this server is of another version, or --url is not its RPC port"],
]);

/** What an error means to whoever typed the command. Anything that is no error of an RPC is a failure. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof CommanderError) {
    // Commander has printed its message already.
    return { exitCode: error.exitCode === 0 ? EXIT.ok : EXIT.usage, code: "", message: "", hint: "" };
  }
  if (error instanceof CliError) return { exitCode: error.exitCode, code: "", message: error.message, hint: "" };
  if (!(error instanceof ConnectError)) {
    const message = error instanceof Error ? error.message : String(error);
    return { exitCode: EXIT.failure, code: "", message, hint: "" };
  }
  return {
    exitCode: BY_CODE.get(error.code) ?? EXIT.failure,
    code: reasonOf(error),
    message: error.rawMessage,
    hint: HINTS.get(error.code) ?? "",
  };
}

/** `room_not_found` where the server said so, else the RPC code in the same writing. */
export function reasonOf(error: ConnectError): string {
  const info: ErrorInfo | undefined = error.findDetails(ErrorInfoSchema)[0];
  if (info !== undefined) return fromErrorReason(info.reason);
  return Code[error.code].replace(/(?<!^)[A-Z]/g, "_$&").toLowerCase();
}
