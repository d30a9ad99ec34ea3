import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";

const MASK = Buffer.from([0x12, 0x34, 0x56, 0x78]);
const TEXT = 0x81;
const CLOSE = 0x88;
const PING = 0x89;
const PONG = 0x8a;
const NORMAL_CLOSURE = Buffer.from([0x03, 0xe8]);
const HEAD_END = "\r\n\r\n";
const NOTHING = Buffer.alloc(0);
/** For all clients: what is read is dealt with before the next read. */
const READ_BUFFER = Buffer.allocUnsafeSlow(65_536);
const NO_CLOSE_FRAME = 1_006;

/**
 * A WebSocket client that costs next to nothing: it skips over frames by their headers, answers pings, and looks into
 * frames only when asked to. So one core's worth of it measures the server, not itself.
 */
export class RawClient {
  /** Text frames received. */
  frames = 0;
  /** Called with the payload of every text frame, valid during the call; undefined: frames are only counted. */
  onFrame: ((payload: Buffer) => void) | undefined;
  /** Called once after the end, with the code of the Close frame, or 1006 when there was none. */
  onClose: ((code: number) => void) | undefined;
  /** Bytes read since readOnce. */
  lastRead = 0;
  readonly #socket: Socket;
  readonly #upgrade: PromiseWithResolvers<void>;
  #upgraded = false;
  #once = false;
  #rest: Buffer = NOTHING;
  #skip = 0;
  #code = NO_CLOSE_FRAME;

  /** Connects and upgrades. `path` such as `/ws?room_id=a`. @throws Error when that is refused. */
  static async connect(port: number, path: string): Promise<RawClient> {
    const upgrade = Promise.withResolvers<void>();
    const client = new RawClient(port, upgrade);
    client.#socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`,
    );
    await upgrade.promise;
    return client;
  }

  private constructor(port: number, upgrade: PromiseWithResolvers<void>) {
    this.#upgrade = upgrade;
    // With a buffer of one's own, a socket allocates nothing to read, and pausing really stops it from reading.
    const onread = { buffer: READ_BUFFER, callback: (bytes: number) => this.#receive(READ_BUFFER.subarray(0, bytes)) };
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true, onread });
    this.#socket.on("error", (error) => upgrade.reject(error));
    this.#socket.on("close", () => {
      upgrade.reject(new Error("the connection ended before the upgrade"));
      this.onClose?.(this.#code);
    });
  }

  /** Sends text frames in one write. */
  send(...texts: readonly string[]): void {
    const [first = ""] = texts;
    const bytes = texts.length === 1 ? maskedFrame(TEXT, Buffer.from(first)) : Buffer.concat(texts.map(textFrame));
    this.#socket.write(bytes);
  }

  /** Sends the same bytes again and again, as fast as the server takes them, until the end. */
  pour(bytes: Buffer): void {
    const more = (): void => {
      while (!this.#socket.destroyed && this.#socket.write(bytes));
    };
    this.#socket.on("drain", more);
    more();
  }

  /** Leaves what comes in the kernel's buffers. */
  pause(): void {
    this.#socket.pause();
  }

  /** Reads all that has come, or what comes next, and pauses again. */
  readOnce(): void {
    this.#once = true;
    this.lastRead = 0;
    this.#socket.resume();
  }

  /** Waits for the next text that fits. Only while onFrame is free. @throws Error when the connection ends before. */
  next(fits: (text: string) => boolean): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.onFrame = (payload) => {
      const text = payload.toString();
      if (!fits(text)) return;
      this.onFrame = undefined;
      this.onClose = undefined;
      resolve(text);
    };
    this.onClose = (code) => reject(new Error(`the server ended the connection with ${code}`));
    return promise;
  }

  /** Sends a frame with an id and waits for the frame that carries it. @throws Error as next. */
  ask(type: string, payload: object): Promise<string> {
    const id = `q${++lastId}`;
    const answer = this.next((text) => text.includes(`"id":"${id}"`));
    this.send(JSON.stringify({ type, id, payload }));
    return answer;
  }

  /** Says goodbye as a browser does when its page is left. */
  close(): void {
    this.onFrame = undefined;
    this.#once = false;
    this.#socket.resume();
    this.#socket.write(maskedFrame(CLOSE, NORMAL_CLOSURE));
    this.#socket.end();
  }

  /** Cuts the line. */
  cut(): void {
    this.onFrame = undefined;
    this.#socket.destroy();
  }

  /** Takes bytes, which stay only until it returns; false pauses. */
  #receive(chunk: Buffer): boolean {
    this.lastRead += chunk.length;
    // A full buffer says that more has come.
    const goesOn = !this.#once || chunk.length === READ_BUFFER.length;
    this.#once &&= goesOn;
    const data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    const start = this.#upgraded ? 0 : this.#head(data);
    const end = this.#upgraded ? start + this.#frames(data.subarray(start)) : start;
    this.#rest = end < data.length ? Buffer.from(data.subarray(end)) : NOTHING;
    return goesOn;
  }

  /** Reads the answer to the upgrade; returns how much of the data it took. */
  #head(data: Buffer): number {
    const end = data.indexOf(HEAD_END);
    if (end < 0) return 0;
    const status = data.toString("latin1", 0, data.indexOf("\r\n"));
    this.#upgraded = true;
    if (status.includes(" 101 ")) this.#upgrade.resolve();
    else this.#upgrade.reject(new Error(`the upgrade was answered by ${status}`));
    return end + HEAD_END.length;
  }

  /** Reads frames; returns how much of the data they took. */
  #frames(data: Buffer): number {
    let at = Math.min(this.#skip, data.length);
    this.#skip -= at;
    while (at < data.length) {
      const header = readHeader(data, at);
      if (header === undefined) return at;
      const { start, end } = header;
      const isText = data[at] === TEXT;
      if (end > data.length && (this.onFrame || !isText)) return at;
      if (isText) {
        this.frames++;
        this.onFrame?.(data.subarray(start, end));
      } else this.#control(data[at] ?? 0, data.subarray(start, end));
      at = end;
    }
    this.#skip = at - data.length;
    return data.length;
  }

  #control(head: number, payload: Buffer): void {
    if (head === PING) this.#socket.write(maskedFrame(PONG, payload));
    if (head !== CLOSE) return;
    if (payload.length >= 2) this.#code = payload.readUInt16BE(0);
    if (!this.#socket.writableEnded) this.#socket.end(maskedFrame(CLOSE, payload));
  }
}

let lastId = 0;

/** A text frame as a client sends it. */
export function textFrame(text: string): Buffer {
  return maskedFrame(TEXT, Buffer.from(text));
}

function maskedFrame(first: number, payload: Buffer): Buffer {
  const isShort = payload.length < 126;
  const start = isShort ? 6 : 8;
  const frame = Buffer.allocUnsafe(start + payload.length);
  frame[0] = first;
  frame[1] = 0x80 | (isShort ? payload.length : 126);
  if (!isShort) frame.writeUInt16BE(payload.length, 2);
  MASK.copy(frame, start - 4);
  for (let index = 0; index < payload.length; index++) {
    frame[start + index] = (payload[index] ?? 0) ^ (MASK[index & 3] ?? 0);
  }
  return frame;
}

/** Where a frame's payload starts and ends; undefined when its header is not complete. */
function readHeader(data: Buffer, at: number): { readonly start: number; readonly end: number } | undefined {
  const available = data.length - at;
  if (available < 2) return undefined;
  const short = (data[at + 1] ?? 0) & 0x7f;
  const start = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
  if (data.length < start) return undefined;
  if (short < 126) return { start, end: start + short };
  return { start, end: start + (short === 126 ? data.readUInt16BE(at + 2) : Number(data.readBigUInt64BE(at + 2))) };
}
