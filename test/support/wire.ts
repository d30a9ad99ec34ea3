import { WebSocket as WsWebSocket } from "ws";

/** How a connection ended. */
export interface Closing {
  readonly code: number;
  readonly reason: string;
}

/** What a wire tells its owner. */
export interface WireListener {
  onText(text: string): void;
  /** Only the `ws` wire hears pings. */
  onPing(): void;
  onClose(closing: Closing): void;
}

/** A WebSocket, whichever implementation carries it. */
export interface Wire {
  /** The subprotocol the server selected. */
  readonly protocol: string;
  sendText(text: string): void;
  sendBinary(bytes: Uint8Array): void;
  /** Begins the closing handshake. */
  close(code?: number, reason?: string): void;
  /** Drops the connection without a word, as a crash or a lost network does. */
  terminate(): void;
  /** Stops reading, so that the server's data fills the buffers between. */
  pause(): void;
  /** Reads again. */
  resume(): void;
}

/** What to ask for in the handshake. */
export interface Handshake {
  readonly url: string;
  readonly protocols: readonly string[];
  /** The native wire ignores it: it cannot choose headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** False: pings are left unanswered. The native wire always answers. */
  readonly autoPong: boolean;
}

/** The handshake was answered with something else than 101. */
export class HandshakeRefused extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`the WebSocket handshake was answered with ${status}`);
    this.name = "HandshakeRefused";
    this.status = status;
  }
}

/** Connects by the `ws` package. @throws HandshakeRefused, or the network's error. */
export function openWs(handshake: Handshake, listener: WireListener): Promise<Wire> {
  const { promise, resolve, reject } = Promise.withResolvers<Wire>();
  const socket = new WsWebSocket(handshake.url, [...handshake.protocols], {
    headers: { ...handshake.headers },
    autoPong: handshake.autoPong,
    perMessageDeflate: false,
  });
  socket.on("unexpected-response", (request, response) => {
    request.destroy();
    reject(new HandshakeRefused(response.statusCode ?? 0));
  });
  // An error after the handshake is followed by `close`, which says how the connection ended.
  socket.on("error", reject);
  socket.on("message", (data, isBinary) => listener.onText(isBinary ? `<binary ${data}>` : data.toString()));
  socket.on("ping", () => listener.onPing());
  socket.on("close", (code, reason) => listener.onClose({ code, reason: reason.toString() }));
  socket.on("open", () =>
    resolve({
      protocol: socket.protocol,
      sendText: (text) => socket.send(text),
      sendBinary: (bytes) => socket.send(bytes),
      close: (code, reason) => socket.close(code, reason),
      terminate: () => socket.terminate(),
      pause: () => socket.pause(),
      resume: () => socket.resume(),
    }),
  );
  return promise;
}

/** Connects by Node's own WebSocket, the browser's API. @throws Error when the handshake fails; it does not say why. */
export function openNative(handshake: Handshake, listener: WireListener): Promise<Wire> {
  const { promise, resolve, reject } = Promise.withResolvers<Wire>();
  const socket = new WebSocket(handshake.url, [...handshake.protocols]);
  const unsupported = (): never => {
    throw new Error("the native WebSocket cannot do this");
  };
  socket.addEventListener("error", () => reject(new Error("the WebSocket handshake failed")));
  socket.addEventListener("message", (event) => listener.onText(String(event.data)));
  socket.addEventListener("close", (event) => listener.onClose({ code: event.code, reason: event.reason }));
  socket.addEventListener("open", () =>
    resolve({
      protocol: socket.protocol,
      sendText: (text) => socket.send(text),
      sendBinary: (bytes) => socket.send(new Uint8Array(bytes)),
      close: (code, reason) => socket.close(code, reason),
      terminate: unsupported,
      pause: unsupported,
      resume: unsupported,
    }),
  );
  return promise;
}
