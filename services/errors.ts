import { Code } from "@connectrpc/connect";
import { ErrorReason } from "../gen/baccarat/v1/errors_pb.ts";

/** What one reason means for RPC callers, for frames and for the connection. */
interface ReasonRow {
  /** Canonical RPC code (google.rpc.Code). */
  readonly rpc: Code;
  /** True when the same request may succeed later. */
  readonly retryable: boolean;
  /** Close code when the reason ends a connection by itself; undefined when it only answers a frame. */
  readonly close?: number;
}

/** The one registry of errors. The key is a frame's `code`; upper-cased and prefixed it is the ErrorReason. */
export const REASONS = {
  bad_frame: { rpc: Code.InvalidArgument, retryable: false, close: 4500 },
  unknown_type: { rpc: Code.InvalidArgument, retryable: false },
  invalid_argument: { rpc: Code.InvalidArgument, retryable: false },
  message_too_large: { rpc: Code.InvalidArgument, retryable: false },
  unauthenticated: { rpc: Code.Unauthenticated, retryable: false, close: 4501 },
  permission_denied: { rpc: Code.PermissionDenied, retryable: false },
  room_not_found: { rpc: Code.NotFound, retryable: false },
  not_a_member: { rpc: Code.FailedPrecondition, retryable: false },
  room_full: { rpc: Code.ResourceExhausted, retryable: true },
  too_many_rooms: { rpc: Code.ResourceExhausted, retryable: false },
  banned: { rpc: Code.PermissionDenied, retryable: false },
  muted: { rpc: Code.PermissionDenied, retryable: false },
  rate_limited: { rpc: Code.ResourceExhausted, retryable: true, close: 4004 },
  unavailable: { rpc: Code.Unavailable, retryable: true },
  internal: { rpc: Code.Internal, retryable: false },
  already_exists: { rpc: Code.AlreadyExists, retryable: false },
  not_found: { rpc: Code.NotFound, retryable: false },
  epoch_changed: { rpc: Code.FailedPrecondition, retryable: false },
  too_old: { rpc: Code.OutOfRange, retryable: false },
  unknown_position: { rpc: Code.OutOfRange, retryable: false },
  slow_consumer: { rpc: Code.ResourceExhausted, retryable: true },
  snapshot_full: { rpc: Code.ResourceExhausted, retryable: false },
} as const satisfies Record<string, ReasonRow>;

/** A frame's `code`. */
export type Reason = keyof typeof REASONS;

/** Reasons that only callers of RPCs are given: a frame names something that is not there, or is there already. */
const RPC_ONLY: ReadonlySet<Reason> = new Set(["not_found", "already_exists"]);

/** The `code` of a frame that failed for a reason. */
export function frameCode(reason: Reason): Reason {
  return RPC_ONLY.has(reason) ? "invalid_argument" : reason;
}

/** The only error that crosses layers. Anything else that reaches a boundary is `internal`: logged, its text hidden. */
export class RoomError extends Error {
  readonly reason: Reason;
  /** Least time to wait before a retry, in milliseconds; 0 when not known. */
  readonly retryAfterMs: number;
  /** Facts for the caller, such as the field that is wrong. Never internals. */
  readonly metadata: Readonly<Record<string, string>>;

  constructor(reason: Reason, message: string, options: RoomErrorOptions = {}) {
    // Most are a client's mistake, of which a flood makes many: finding out where each was made costs more than all else.
    const { stackTraceLimit } = Error;
    if (options.cause === undefined) Error.stackTraceLimit = 0;
    super(message, { cause: options.cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.name = "RoomError";
    this.reason = reason;
    this.retryAfterMs = options.retryAfterMs ?? 0;
    this.metadata = options.metadata ?? {};
  }

  get retryable(): boolean {
    return REASONS[this.reason].retryable;
  }
}

/** What else a RoomError may carry. */
export interface RoomErrorOptions {
  readonly retryAfterMs?: number;
  readonly metadata?: Readonly<Record<string, string>>;
  /** For the log only. */
  readonly cause?: unknown;
}

/** `room_not_found` → ERROR_REASON_ROOM_NOT_FOUND. */
export function toErrorReason(reason: Reason): ErrorReason {
  return ErrorReason[reason.toUpperCase() as keyof typeof ErrorReason];
}

/** ERROR_REASON_ROOM_NOT_FOUND → `room_not_found`; a reason this version does not know is `internal`. */
export function fromErrorReason(value: ErrorReason): Reason {
  return BY_VALUE.get(value) ?? "internal";
}

const BY_VALUE = new Map((Object.keys(REASONS) as Reason[]).map((reason) => [toErrorReason(reason), reason]));

/** Turns anything thrown into a RoomError; `unexpected` hears what was not one, to log it with the correlation id shown. */
export function toRoomError(error: unknown, unexpected: (error: unknown, correlationId: string) => void): RoomError {
  if (error instanceof RoomError) return error;
  const correlationId = crypto.randomUUID();
  unexpected(error, correlationId);
  return new RoomError("internal", `internal error, correlation id ${correlationId}`, { cause: error });
}
