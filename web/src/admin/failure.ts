import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, ErrorReason } from "../../../gen/baccarat/v1/errors_pb.ts";

/** Why a call failed, for an operator. */
export interface Failure {
  /** What the server said, or what is wrong on the way there. */
  readonly message: string;
  /** The server's reason, such as `permission_denied`; `unreachable` when nothing was heard of it. */
  readonly reason: string;
  /** Scope the token lacks. */
  readonly scope: string | undefined;
  /** What to look for in the server's log, when it does not say more. */
  readonly correlationId: string | undefined;
  /** The same may work later. */
  readonly retryable: boolean;
}

const CORRELATION_ID = /correlation id ([0-9a-f-]{36})/;
const REASON_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(ErrorReason).map(([name, value]) => [value, name.toLowerCase()]),
);

/** Reads what a call threw. */
export function describeFailure(error: unknown): Failure {
  const known = ConnectError.from(error);
  const [info] = known.findDetails(ErrorInfoSchema);
  if (info === undefined) return describeSilence(known);
  return {
    message: sentence(known.rawMessage),
    reason: REASON_NAMES.get(info.reason) ?? Code[known.code].toLowerCase(),
    scope: info.metadata.scope,
    correlationId: CORRELATION_ID.exec(known.rawMessage)?.[1],
    retryable: info.retryable,
  };
}

/** A failure that the server did not explain: it was not reached, or is no server of this kind. */
function describeSilence(error: ConnectError): Failure {
  const common = { scope: undefined, correlationId: undefined, retryable: true };
  if (error.cause instanceof TypeError) {
    return { ...common, message: "The server cannot be reached.", reason: "unreachable" };
  }
  if (error.code === Code.DeadlineExceeded) {
    return { ...common, message: "The server did not answer in time.", reason: "deadline_exceeded" };
  }
  return { ...common, message: sentence(error.rawMessage), reason: codeName(error.code) };
}

function codeName(code: Code): string {
  return Code[code].replace(/(?<!^)[A-Z]/g, "_$&").toLowerCase();
}

function sentence(text: string): string {
  // Names of fields are left as they are written.
  const first = /^\w+_/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}
