import type { ConnectRouter } from "@connectrpc/connect";
import type { RpcToken } from "../../../../services/config-values.ts";
import { createLog } from "../../../../services/log.ts";
import { type RpcServerOptions, startRpcServer } from "../../../../services/room/rpc/server.ts";

/** One token of each kind. */
export const TOKENS: readonly RpcToken[] = [
  { name: "reader", scopes: ["read"], secret: "reader-secret-0123456789abcdef012345" },
  { name: "dealer", scopes: ["read", "publish"], secret: "dealer-secret-0123456789abcdef012345" },
  { name: "ops", scopes: ["admin"], secret: "ops-secret-0123456789abcdef012345678" },
  { name: "edge-1", scopes: ["edge"], secret: "edge-secret-0123456789abcdef01234567" },
];

/** The Authorization header of one of TOKENS. */
export function bearer(name: string): string {
  const token = TOKENS.find((candidate) => candidate.name === name);
  if (!token) throw new Error(`no token ${name}`);
  return `Bearer ${token.secret}`;
}

/** An RPC that was observed. */
export interface ObservedCall {
  readonly method: string;
  readonly code: string;
}

/** A running RPC server and what it said. */
export interface RpcFixture extends AsyncDisposable {
  readonly port: number;
  /** http://127.0.0.1:<port> */
  readonly url: string;
  /** Calls that ended, in order. */
  readonly calls: readonly ObservedCall[];
  /** Log lines, in order. */
  readonly logged: readonly string[];
  close(deadlineMs?: number): Promise<void>;
  /** POSTs JSON to `<service>/<method>` of baccarat.v1. */
  post(method: string, body?: unknown, headers?: Record<string, string>): Promise<JsonAnswer>;
}

/** A Connect answer. */
export interface JsonAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: JsonBody;
}

/** As much as is known of a JSON answer before it is looked at. */
export interface JsonBody {
  readonly [field: string]: unknown;
  readonly code?: string;
  readonly message?: string;
  readonly details?: readonly { readonly type: string; readonly debug?: Readonly<Record<string, unknown>> }[];
}

/** Starts an RPC server on a free port of loopback, by default without tokens. */
export async function startRpc(
  routes: (router: ConnectRouter) => void,
  options: Partial<RpcServerOptions> = {},
): Promise<RpcFixture> {
  const calls: ObservedCall[] = [];
  const logged: string[] = [];
  const server = await startRpcServer({
    host: "127.0.0.1",
    port: 0,
    tokens: [],
    allowedOrigins: [],
    routes,
    ready: () => true,
    observer: { onCall: (method, code) => calls.push({ method, code }) },
    log: createLog({ level: "debug", output: { write: (line) => logged.push(line) } }),
    ...options,
  });
  const url = `http://127.0.0.1:${server.port}`;
  return {
    port: server.port,
    url,
    calls,
    logged,
    close: (deadlineMs) => server.close(deadlineMs),
    async post(method, body = {}, headers = {}) {
      const response = await fetch(`${url}/baccarat.v1.${method}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
      return readJson(response);
    },
    [Symbol.asyncDispose]: () => server.close(0),
  };
}

/** Reads an answer whose body is JSON or empty. */
export async function readJson(response: Response): Promise<JsonAnswer> {
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === "" ? {} : (JSON.parse(text) as JsonBody),
  };
}

/** The ErrorInfo of a failed answer, as JSON. */
export function errorInfo(body: JsonBody): Readonly<Record<string, unknown>> | undefined {
  return body.details?.find((detail) => detail.type === "baccarat.v1.ErrorInfo")?.debug;
}
