import type { ConnectRouter } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import { type UniversalHandler, uResponseNotFound } from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import { FIXED } from "../../limits.ts";
import type { Logger } from "../../log.ts";
import type { Pages } from "./console.ts";
import { serveUnary, unaryExchange } from "./http1-unary.ts";
import type { HttpRequest, HttpResponse } from "./listener.ts";
import { methodName } from "./methods.ts";
import { type Refusal, type RequestRules, refuse } from "./request-rules.ts";

/** What the handler needs. */
export interface HttpHandlerOptions {
  readonly router: ConnectRouter;
  readonly rules: RequestRules;
  /** Answers what is no RPC and returns true, or returns false. Default: nothing is. */
  readonly pages?: Pages | undefined;
  readonly log: Logger;
  /** Time a client has for sending all of a request that is no stream, in milliseconds. Default FIXED.rpcMs. */
  readonly bodyMs?: number;
}

/**
 * Hands HTTP requests to the router. Used in place of connectNodeAdapter, which throws out of the listener, ending the
 * process, when a request's URL cannot be parsed, and reports broken connections on the console.
 */
export function createHttpHandler(options: HttpHandlerOptions): (request: HttpRequest, response: HttpResponse) => void {
  const { rules, pages, log, bodyMs = FIXED.rpcMs } = options;
  const handlers = new Map(options.router.handlers.map((handler) => [handler.requestPath, handler]));
  return (request, response) => {
    const refusal = refuse(request, rules);
    if (refusal) return answerRefusal(response, refusal);
    const path = request.url?.split("?", 1)[0] ?? "";
    const handler = handlers.get(path);
    if (!handler) return pages?.(path, request, response) ? undefined : answerNotFound(response);
    dropEndlessTimeouts(request);
    serve(handler, request, response, bodyMs).catch((error: unknown) => {
      response.destroy();
      const code = ConnectError.from(error).code;
      const gone = code === Code.Aborted || code === Code.Canceled;
      log[gone ? "debug" : "warn"]({ err: error, method: methodName(handler.method) }, "RPC answer not delivered");
    });
  };
}

async function serve(
  handler: UniversalHandler,
  request: HttpRequest,
  response: HttpResponse,
  bodyMs: number,
): Promise<void> {
  const unary = unaryExchange(handler, request, response);
  if (unary) return serveUnary(handler, unary, () => limitBody(request, response, bodyMs));
  if (!streamsRequests(handler)) limitBody(request, response, bodyMs);
  const answer = await handler(universalRequestFromNodeRequest(request, response, undefined, undefined));
  await universalResponseToNodeResponse(answer, response);
}

function streamsRequests(handler: UniversalHandler): boolean {
  const kind = handler.method.methodKind;
  return kind === "client_streaming" || kind === "bidi_streaming";
}

/** HTTP/2 in Node has no requestTimeout, so a body that comes byte by byte would hold its stream for ever. */
function limitBody(request: HttpRequest, response: HttpResponse, bodyMs: number): void {
  const timer = setTimeout(() => {
    if (!request.complete) response.destroy();
  }, bodyMs);
  request.once("end", () => clearTimeout(timer));
  response.once("close", () => clearTimeout(timer));
}

/** The longest time a timer of Node can wait, in milliseconds; for a longer one it waits 1 ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;
const GRPC_UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000 };

/** The framework sets a timer for whatever time a caller allows, and callers say for ever by a very long one. */
function dropEndlessTimeouts({ headers }: HttpRequest): void {
  if (Number(headers["connect-timeout-ms"]) > MAX_TIMER_MS) delete headers["connect-timeout-ms"];
  const [, digits, unit = ""] = /^(\d{1,8})([HMS])$/.exec(String(headers["grpc-timeout"])) ?? [];
  if (Number(digits) * (GRPC_UNIT_MS[unit] ?? 1) > MAX_TIMER_MS) delete headers["grpc-timeout"];
}

/** In the form of a Connect error, so that every client shows the message; gRPC clients go by the status alone. */
function answerRefusal(response: HttpResponse, { status, message }: Refusal): void {
  const code = status === 403 ? "permission_denied" : "invalid_argument";
  answer(response, status, { "content-type": "application/json" }, JSON.stringify({ code, message }));
}

function answerNotFound(response: HttpResponse): void {
  answer(response, uResponseNotFound.status, {}, "");
}

// The two classes of response have writeHead methods that TypeScript cannot call as one.
function answer(response: HttpResponse, status: number, headers: Record<string, string>, body: string): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(body);
}
