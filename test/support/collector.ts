import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** A span as it was exported; what tests read of it. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first of its trace. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** Attributes of the process it came from. */
  readonly resource: Readonly<Record<string, string | number | boolean>>;
  /** OTLP's number: 0 unset, 1 ok, 2 error. */
  readonly status: number;
}

/** A collector of spans: OTLP over HTTP with JSON, as processes export them. */
export interface Collector extends AsyncDisposable {
  readonly url: string;
  /** Every span received, in the order of their arrival. */
  readonly spans: readonly ReceivedSpan[];
  /** Everything received, as it came. */
  readonly text: string;
  /** Headers of the exports. */
  readonly headers: readonly IncomingMessage["headers"][];
  close(): Promise<void>;
}

/** Starts a collector on a free port of loopback. */
export async function startCollector(): Promise<Collector> {
  const spans: ReceivedSpan[] = [];
  const headers: IncomingMessage["headers"][] = [];
  let text = "";
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    if (request.method !== "POST" || request.url !== "/v1/traces") return void response.writeHead(404).end();
    headers.push(request.headers);
    text += body;
    spans.push(...readSpans(JSON.parse(body) as Export));
    response.writeHead(200, { "content-type": "application/json" }).end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    headers,
    get text() {
      return text;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: number | string; readonly boolValue?: boolean };
}

interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly {
        readonly traceId: string;
        readonly spanId: string;
        readonly parentSpanId?: string;
        readonly name: string;
        readonly attributes: readonly Attribute[];
        readonly status: { readonly code?: number };
      }[];
    }[];
  }[];
}

function readSpans({ resourceSpans }: Export): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map(({ parentSpanId = "", attributes, status, ...span }) => ({
        ...span,
        parentSpanId,
        attributes: readAttributes(attributes),
        resource: readAttributes(resource.attributes),
        status: status.code ?? 0,
      })),
    ),
  );
}

function readAttributes(attributes: readonly Attribute[]): Record<string, string | number | boolean> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? value.boolValue ?? Number(value.intValue)]),
  );
}
