import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../../gen/baccarat/v1/errors_pb.ts";
import { REASONS, type Reason, RoomError, toErrorReason, toRoomError } from "../../errors.ts";

/** `domain` of every ErrorInfo. */
export const ERROR_DOMAIN = "baccarat.v1";

/** Hears of an error that no caller is told about, with the correlation id they are told instead. */
export type OnUnexpected = (error: unknown, correlationId: string) => void;

/**
 * What a caller is told of anything thrown: a RoomError as the registry has it, with an ErrorInfo; the framework's own
 * errors as they are; all else as `internal`, with a correlation id only.
 */
export function toConnectError(error: unknown, onUnexpected: OnUnexpected): ConnectError {
  if (error instanceof ConnectError) return error;
  if (isAbort(error)) return new ConnectError("the caller is gone", Code.Canceled, undefined, undefined, error);
  const known = toRoomError(error, onUnexpected);
  return new ConnectError(known.message, REASONS[known.reason].rpc, undefined, [infoOf(known)], known);
}

/** What the framework's own errors mean: those of decoding, of sizes, of methods without implementation, of deadlines. */
const FRAMEWORK_REASONS: ReadonlyMap<Code, Reason> = new Map<Code, Reason>([
  [Code.InvalidArgument, "invalid_argument"],
  [Code.ResourceExhausted, "message_too_large"],
  [Code.Unimplemented, "unknown_type"],
  // As with any `unavailable`, the outcome is unknown, and the call may be tried again.
  [Code.DeadlineExceeded, "unavailable"],
  [Code.Internal, "internal"],
]);

/** How the framework says, of a Protobuf that cannot be read, that it is its own fault. */
const UNREADABLE = "parse binary: ";

/** Gives an error of the framework's own the ErrorInfo that every failed call has, and blames callers for what they sent. */
export function completeDetails(error: ConnectError): void {
  if (error.code === Code.Internal && error.rawMessage.startsWith(UNREADABLE)) {
    Object.assign(error, { code: Code.InvalidArgument });
  }
  const reason = FRAMEWORK_REASONS.get(error.code);
  if (reason !== undefined && error.details.length === 0) error.details.push(infoOf(new RoomError(reason, "")));
}

function infoOf(error: RoomError) {
  const info = create(ErrorInfoSchema, {
    reason: toErrorReason(error.reason),
    domain: ERROR_DOMAIN,
    metadata: { ...error.metadata },
    retryable: error.retryable,
    retryAfterMs: Math.ceil(error.retryAfterMs),
  });
  return { desc: ErrorInfoSchema, value: info };
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}
