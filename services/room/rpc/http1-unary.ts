import { IncomingMessage, ServerResponse } from "node:http";
import { TLSSocket } from "node:tls";
import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerRequest } from "@connectrpc/connect/protocol";
import { universalResponseToNodeResponse } from "@connectrpc/connect-node";
import type { HttpRequest, HttpResponse } from "./listener.ts";

/** An HTTP/1.1 request for a method that takes one message and answers with one. */
export interface UnaryExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Most bytes of an answer that is written as text, which goes out with its head in one write. */
const TEXT_BYTES = 16 * 1024;

/** The exchange when it is one that serveUnary can serve, else undefined. */
export function unaryExchange(
  { method }: UniversalHandler,
  request: HttpRequest,
  response: HttpResponse,
): UnaryExchange | undefined {
  const isHttp1 = request instanceof IncomingMessage && response instanceof ServerResponse;
  return isHttp1 && method.methodKind === "unary" ? { request, response } : undefined;
}

/**
 * Serves one call. As the framework's adapter does, but what that makes of each of them costs as much as storing a message:
 * streams out of a body that is there as a whole, an error for the end of a call that ended well, URLs to be parsed again.
 *
 * `onSlowBody` is called when not all of the request has come by the time it is read.
 */
export async function serveUnary(
  handler: UniversalHandler,
  { request, response }: UnaryExchange,
  onSlowBody: () => void,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort(new ConnectError("the caller is gone", Code.Canceled));
  });
  const scheme = request.socket instanceof TLSSocket ? "https" : "http";
  const answer = await handler({
    httpVersion: request.httpVersion,
    method: request.method ?? "",
    url: `${scheme}://${request.headers.host}${request.url}`,
    header: headersOf(request),
    body: chunksOf(request, onSlowBody),
    signal: gone.signal,
  } satisfies UniversalServerRequest);
  if (response.destroyed) return;
  // Trailers, which gRPC needs, are rare over HTTP/1.1.
  if (answer.trailer !== undefined) return universalResponseToNodeResponse(answer, response);
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body ?? []) chunks.push(chunk);
  for (const [name, value] of answer.header ?? []) response.setHeader(name, value);
  response.statusCode = answer.status;
  const body = Buffer.concat(chunks);
  if (body.length <= TEXT_BYTES) response.end(body.toString("latin1"), "latin1");
  else response.end(body);
}

function headersOf({ headers }: IncomingMessage): Headers {
  const all = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === "string") all.set(name, value);
    else for (const one of value ?? []) all.append(name, one);
  }
  return all;
}

/** Nothing is read before somebody asks: who may not call is told so at once. */
async function* chunksOf(request: IncomingMessage, onSlow: () => void): AsyncGenerator<Uint8Array> {
  const isHere = request.complete || request.readableLength === Number(request.headers["content-length"]);
  if (!isHere) {
    onSlow();
    yield* request;
    return;
  }
  const all: Uint8Array | null = request.read();
  request.resume(); // to its end, which is not noticed before
  if (all !== null) yield all;
}
