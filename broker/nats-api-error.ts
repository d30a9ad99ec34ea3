/** An error as JetStream sends it. */
export interface ApiErrorBody {
  /** Like an HTTP status. */
  readonly code: number;
  readonly err_code?: number;
  readonly description?: string;
}

/** Error codes of JetStream that mean something to us (nats-server, server/errors.json). */
export const API_ERROR = {
  noSuitablePeers: 10_005,
  noMessageFound: 10_037,
  sequenceNotFound: 10_043,
  /** The server has not as much room as the stream may take: nothing that changes by itself. */
  insufficientStorage: 10_047,
  /** What went wrong is in the description only; one cause is that another request deleted the message first. */
  deleteFailed: 10_057,
  streamNameInUse: 10_058,
  streamNotFound: 10_059,
  /** Another stream has these subjects; on 2.9 also the very same stream, when another request created it just now. */
  subjectsOverlap: 10_065,
  wrongLastSequence: 10_071,
  /** A stream of the name of the one to restore is there. */
  restoreOverStream: 10_130,
  /** A message with this id is being stored: what became of it is known soon. */
  duplicateInProcess: 10_158,
  /** As wrongLastSequence, but the message in the way is only being stored. */
  wrongLastSequenceInProcess: 10_164,
} as const;

const TOO_MANY_REQUESTS = 429;
const SERVER_ERROR = 500;
/** Server errors that asking again does not mend. */
const LASTING: ReadonlySet<number> = new Set([API_ERROR.insufficientStorage, API_ERROR.deleteFailed]);

/** JetStream's refusal of a request. */
export class ApiError extends Error {
  /** One of API_ERROR, or another of the server's. */
  readonly errCode: number;
  /** True when the same request may succeed later: no leader, no quorum, no resources, or it is under way already. */
  readonly temporary: boolean;

  constructor(body: ApiErrorBody) {
    super(body.description ?? `error ${body.code}`);
    this.name = "ApiError";
    this.errCode = body.err_code ?? 0;
    const isBusy = body.code === TOO_MANY_REQUESTS || this.errCode === API_ERROR.duplicateInProcess;
    this.temporary = isBusy || (body.code >= SERVER_ERROR && !LASTING.has(this.errCode));
  }
}
