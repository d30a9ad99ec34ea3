/** An error as JetStream sends it. */
export interface ApiErrorBody {
  /** Like an HTTP status: 4xx will not change by itself, 5xx may. */
  readonly code: number;
  readonly err_code?: number;
  readonly description?: string;
}

/** Error codes of JetStream that mean something to us (nats-server, server/errors.json). */
export const API_ERROR = {
  noSuitablePeers: 10_005,
  noMessageFound: 10_037,
  sequenceNotFound: 10_043,
  streamNameInUse: 10_058,
  streamNotFound: 10_059,
  wrongLastSequence: 10_071,
} as const;

/** JetStream's refusal of a request. */
export class ApiError extends Error {
  /** One of API_ERROR, or another of the server's. */
  readonly errCode: number;
  /** True when the same request may succeed later: no leader, no quorum, no resources. */
  readonly temporary: boolean;

  constructor(body: ApiErrorBody) {
    super(body.description ?? `error ${body.code}`);
    this.name = "ApiError";
    this.errCode = body.err_code ?? 0;
    this.temporary = body.code >= 500;
  }
}
