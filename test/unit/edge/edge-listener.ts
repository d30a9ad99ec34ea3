import { connect } from "node:net";
import { pino } from "pino";
import type { WebSocket } from "ws";
import { type AcceptedConnection, type EdgeServerOptions, startEdgeServer } from "../../../edge/server.ts";
import { DEFAULT_LIMITS } from "../../../services/limits.ts";
import { PATIENCE_MS, within } from "../../support/eventually.ts";

/** A listener, and what it took. */
export interface Listener extends AsyncDisposable {
  readonly port: number;
  readonly server: Awaited<ReturnType<typeof startEdgeServer>>;
  readonly accepted: AcceptedConnection[];
  readonly webSockets: WebSocket[];
}

/** Starts a listener on a free port of the loopback. */
export async function startListener(options: Partial<EdgeServerOptions> = {}): Promise<Listener> {
  const accepted: AcceptedConnection[] = [];
  const webSockets: WebSocket[] = [];
  const server = await startEdgeServer({
    host: "127.0.0.1",
    port: 0,
    allowedOrigins: undefined,
    limits: DEFAULT_LIMITS,
    trustProxy: [],
    staticDir: undefined,
    log: pino({ level: "silent" }),
    onConnection: (webSocket, _socket, connection) => {
      accepted.push(connection);
      webSockets.push(webSocket);
    },
    ...options,
  });
  return {
    port: server.port,
    server,
    accepted,
    webSockets,
    [Symbol.asyncDispose]: async () => {
      for (const webSocket of webSockets) webSocket.terminate();
      server.close({ graceful: false });
    },
  };
}

/** An HTTP answer. */
export interface Answer {
  /** 0 when the connection ended without one. */
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Sends bytes as they are and returns the answer: all of it, or the head of a 101. Ends the connection. */
export async function sendRaw(port: number, bytes: string | Uint8Array): Promise<Answer> {
  const socket = connect(port, "127.0.0.1");
  const { promise, resolve } = Promise.withResolvers<void>();
  let received = "";
  socket.setEncoding("latin1");
  socket.on("data", (part: string) => {
    received += part;
    if (received.startsWith("HTTP/1.1 101") && received.includes("\r\n\r\n")) resolve();
  });
  // A reset may follow an answer that came whole; the answer is what counts.
  socket.on("error", () => resolve());
  socket.on("close", () => resolve());
  socket.write(bytes);
  try {
    await within(PATIENCE_MS, "an HTTP answer", promise, () => `; received ${JSON.stringify(received)}`);
  } finally {
    socket.destroy();
  }
  return parseAnswer(received);
}

/** A valid upgrade request; a header set to undefined is left out, an array is sent several times. */
export function upgradeRequest(
  target = "/ws",
  headers: Readonly<Record<string, string | readonly string[] | undefined>> = {},
  options: { method?: string; version?: string } = {},
): string {
  const all = {
    Host: "localhost",
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) => [value ?? []].flat().map((one) => `${name}: ${one}`));
  return `${[`${options.method ?? "GET"} ${target} ${options.version ?? "HTTP/1.1"}`, ...lines].join("\r\n")}\r\n\r\n`;
}

function parseAnswer(text: string): Answer {
  const [head = "", ...body] = text.split("\r\n\r\n");
  const [statusLine = "", ...lines] = head.split("\r\n");
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(statusLine.split(" ")[1] ?? 0), headers: new Map(headers), body: body.join("\r\n\r\n") };
}
