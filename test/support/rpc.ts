import { PATIENCE_MS } from "./eventually.ts";

const PACKAGE = "baccarat.v1";

/** An RPC that failed, as Connect's JSON tells it. */
export class RpcFailure extends Error {
  /** HTTP status. */
  readonly status: number;
  /** Connect's code, such as `not_found`. */
  readonly code: string;
  /** ErrorInfo's reason, such as `ERROR_REASON_ROOM_NOT_FOUND`; undefined when there is no ErrorInfo. */
  readonly reason: string | undefined;

  constructor(method: string, status: number, body: ConnectError) {
    super(`${method} failed with ${status} ${body.code}: ${body.message}`);
    this.name = "RpcFailure";
    this.status = status;
    this.code = body.code ?? "";
    const info = body.details?.find((detail) => detail.type === `${PACKAGE}.ErrorInfo`);
    this.reason = info?.debug?.reason;
  }
}

interface ConnectError {
  readonly code?: string;
  readonly message?: string;
  readonly details?: readonly { readonly type: string; readonly debug?: Readonly<Record<string, string>> }[];
}

/** Calls RPCs as any program could: by HTTP POST or GET with JSON. */
export class RpcClient {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(base: string, token?: string) {
    this.#base = base;
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  /** Calls a method, such as `RoomService/GetRoom`. @throws RpcFailure. */
  async call<T = object>(method: string, request: object = {}): Promise<T> {
    const response = await fetch(`${this.#base}/${PACKAGE}.${method}`, {
      method: "POST",
      headers: { ...this.#headers, "content-type": "application/json" },
      body: JSON.stringify(request),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    return await answer<T>(method, response);
  }

  /** Calls a method without side effects by GET. @throws RpcFailure. */
  async get<T = object>(method: string, request: object = {}): Promise<T> {
    const url = new URL(`/${PACKAGE}.${method}`, this.#base);
    url.searchParams.set("encoding", "json");
    url.searchParams.set("message", JSON.stringify(request));
    const response = await fetch(url, { headers: this.#headers, signal: AbortSignal.timeout(PATIENCE_MS) });
    return await answer<T>(method, response);
  }

  /** Calls a method that must fail, and returns how it did. */
  async fails(method: string, request: object = {}): Promise<RpcFailure> {
    try {
      const response = await this.call(method, request);
      throw new Error(`${method} succeeded with ${JSON.stringify(response)}`);
    } catch (error) {
      if (error instanceof RpcFailure) return error;
      throw error;
    }
  }
}

async function answer<T>(method: string, response: Response): Promise<T> {
  const body = await response.text();
  if (response.ok) return JSON.parse(body) as T;
  let error: ConnectError;
  try {
    error = JSON.parse(body) as ConnectError;
  } catch {
    error = { message: body };
  }
  throw new RpcFailure(method, response.status, error);
}
