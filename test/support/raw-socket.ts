import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { PATIENCE_MS, within } from "./eventually.ts";

/** Opcodes of RFC 6455, section 5.2. */
export const OPCODE = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** A TCP connection to an edge on which any bytes can be sent, for what no WebSocket client would. */
export class RawSocket implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #ended: Promise<void>;
  #received: Buffer = Buffer.alloc(0);
  #changed = Promise.withResolvers<void>();

  static async connect(edge: string): Promise<RawSocket> {
    const { hostname, port } = new URL(edge);
    const socket = connect(Number(port), hostname);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("connect", resolve);
    socket.once("error", reject);
    await within(PATIENCE_MS, `a TCP connection to ${edge}`, promise);
    socket.off("error", reject);
    return new RawSocket(socket);
  }

  /** Connects and upgrades to a WebSocket. `target` is the request line's target. */
  static async upgrade(edge: string, target = "/ws?room_id="): Promise<RawSocket> {
    const raw = await RawSocket.connect(edge);
    const head = await raw.handshake(target, new URL(edge).host);
    if (!head.startsWith("HTTP/1.1 101")) throw new Error(`the upgrade of ${target} was answered by ${head}`);
    return raw;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended = promise;
    socket.on("data", (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.#wake();
    });
    // A reset is one of the ways the server may end a connection: `close` follows.
    socket.on("error", () => this.#wake());
    socket.on("close", () => {
      resolve();
      this.#wake();
    });
  }

  /** Sends bytes as they are. */
  write(bytes: Uint8Array | string): void {
    this.#socket.write(bytes);
  }

  /** Sends an upgrade request and returns the head of the answer. */
  async handshake(target: string, host: string, version = "HTTP/1.1"): Promise<string> {
    const lines = [
      `GET ${target} ${version}`,
      `Host: ${host}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
    ];
    return await this.exchange(lines);
  }

  /** Sends the lines of a request's head and returns the head of the answer; empty when the connection ended without. */
  async exchange(lines: readonly string[]): Promise<string> {
    this.write(`${lines.join("\r\n")}\r\n\r\n`);
    return await this.#head();
  }

  /** Sends one frame, masked unless told otherwise. */
  frame(
    opcode: number,
    payload: Uint8Array | string,
    options: { fin?: boolean; mask?: boolean; rsv?: number } = {},
  ): void {
    this.write(encodeFrame(opcode, Buffer.from(payload), options));
  }

  /** The close code the server sent. @throws Error when the connection ended without one. */
  async closeCode(withinMs: number = PATIENCE_MS): Promise<number> {
    for (;;) {
      const code = findCloseCode(this.#received);
      if (code !== undefined) return code;
      if (this.#socket.closed)
        throw new Error(`the connection ended without a close frame: ${this.#received.toString()}`);
      await within(withinMs, "a close frame", this.#changed.promise);
    }
  }

  /** Waits until the server has sent this text, in a frame of its own or within one. */
  async hears(text: string): Promise<void> {
    while (!this.#received.includes(text)) {
      if (this.#socket.closed) throw new Error(`the connection ended before ${text}: ${this.#received.toString()}`);
      await within(PATIENCE_MS, `to hear ${text}`, this.#changed.promise);
    }
  }

  /** Waits until the connection is gone. */
  ended(withinMs: number = PATIENCE_MS): Promise<void> {
    return within(withinMs, "the end of the TCP connection", this.#ended);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    await this.ended();
  }

  async #head(): Promise<string> {
    for (;;) {
      const end = this.#received.indexOf("\r\n\r\n");
      if (end >= 0) {
        const head = this.#received.subarray(0, end).toString("latin1");
        this.#received = this.#received.subarray(end + 4);
        return head;
      }
      if (this.#socket.closed) return "";
      await within(PATIENCE_MS, "the head of an HTTP answer", this.#changed.promise);
    }
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

function encodeFrame(
  opcode: number,
  payload: Buffer,
  options: { fin?: boolean; mask?: boolean; rsv?: number },
): Buffer {
  const masked = options.mask ?? true;
  const first = ((options.fin ?? true) ? 0x80 : 0) | ((options.rsv ?? 0) << 4) | opcode;
  const head = Buffer.concat([Buffer.from([first]), encodeLength(payload.length, masked)]);
  if (!masked) return Buffer.concat([head, payload]);
  const key = randomBytes(4);
  const body = Buffer.from(payload.map((byte, index) => byte ^ (key[index % 4] ?? 0)));
  return Buffer.concat([head, key, body]);
}

function encodeLength(length: number, masked: boolean): Buffer {
  const bit = masked ? 0x80 : 0;
  if (length < 126) return Buffer.from([bit | length]);
  if (length < 65_536) return Buffer.from([bit | 126, length >> 8, length & 0xff]);
  const long = Buffer.alloc(9);
  long[0] = bit | 127;
  long.writeBigUInt64BE(BigInt(length), 1);
  return long;
}

/** Walks the server's frames, which are not masked, to its close frame. */
function findCloseCode(bytes: Buffer): number | undefined {
  let offset = 0;
  while (offset + 2 <= bytes.length) {
    const opcode = (bytes[offset] ?? 0) & 0x0f;
    const short = (bytes[offset + 1] ?? 0) & 0x7f;
    const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
    if (offset + 2 + extra > bytes.length) return undefined;
    const length =
      extra === 2 ? bytes.readUInt16BE(offset + 2) : extra === 8 ? Number(bytes.readBigUInt64BE(offset + 2)) : short;
    const start = offset + 2 + extra;
    if (start + length > bytes.length) return undefined;
    if (opcode === OPCODE.close) return length >= 2 ? bytes.readUInt16BE(start) : 1005;
    offset = start + length;
  }
  return undefined;
}
