import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";

const MASK = Buffer.from([0x12, 0x34, 0x56, 0x78]);

/**
 * A WebSocket client that costs next to nothing: it skips over frames by their headers and looks into them only when
 * asked to. So one core's worth of it measures the server, not itself.
 */
export class RawClient {
  /** Data frames received. */
  frames = 0;
  /** Called with the text of every data frame; undefined: frames are only counted. */
  onText: ((text: string) => void) | undefined;
  readonly #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);
  #skip = 0;

  /** Connects and upgrades. `path` such as `/ws?room_id=a`. */
  static async connect(port: number, path: string): Promise<RawClient> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`,
    );
    let head = Buffer.alloc(0);
    for (;;) {
      const [chunk] = (await once(socket, "data")) as [Buffer];
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) continue;
      const status = head.subarray(0, head.indexOf("\r\n")).toString();
      if (!status.includes(" 101 ")) throw new Error(`the upgrade was answered by ${status}`);
      socket.pause();
      return new RawClient(socket, head.subarray(end + 4));
    }
  }

  private constructor(socket: Socket, rest: Buffer) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    // A server that goes away ends the run by its own error.
    socket.on("error", () => undefined);
    if (rest.length > 0) this.#receive(rest);
    socket.resume();
  }

  /** Sends a text frame. */
  send(text: string): void {
    const payload = Buffer.from(text);
    const head = payload.length < 126 ? Buffer.from([0x81, 0x80 | payload.length]) : Buffer.from([0x81, 0xfe, 0, 0]);
    if (payload.length >= 126) head.writeUInt16BE(payload.length, 2);
    for (let index = 0; index < payload.length; index++)
      payload[index] = (payload[index] ?? 0) ^ (MASK[index % 4] ?? 0);
    this.#socket.write(Buffer.concat([head, MASK, payload]));
  }

  /** Leaves what comes in the kernel's buffers until `resume`. */
  pause(): void {
    this.#socket.pause();
  }
  resume(): void {
    this.#socket.resume();
  }

  /** Waits for the next text that fits. Only while onText is free. */
  next(fits: (text: string) => boolean): Promise<string> {
    return new Promise((resolve) => {
      this.onText = (text) => {
        if (!fits(text)) return;
        this.onText = undefined;
        resolve(text);
      };
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    let data = chunk;
    if (this.#rest.length > 0) {
      data = Buffer.concat([this.#rest, chunk]);
      this.#rest = Buffer.alloc(0);
    }
    let at = 0;
    if (this.#skip > 0) {
      at = Math.min(this.#skip, data.length);
      this.#skip -= at;
    }
    while (at < data.length) {
      const available = data.length - at;
      const short = (data[at + 1] ?? 0) & 0x7f;
      const headLength = available < 2 ? 2 : short < 126 ? 2 : short === 126 ? 4 : 10;
      if (available < headLength) {
        this.#rest = data.subarray(at);
        return;
      }
      const length =
        short < 126 ? short : short === 126 ? data.readUInt16BE(at + 2) : Number(data.readBigUInt64BE(at + 2));
      const isData = ((data[at] ?? 0) & 0x0f) < 8;
      if (this.onText && isData && available < headLength + length) {
        this.#rest = data.subarray(at);
        return;
      }
      if (isData) this.frames++;
      if (this.onText && isData) this.onText(data.toString("utf8", at + headLength, at + headLength + length));
      at += headLength + length;
    }
    this.#skip = at - data.length;
  }
}

/** How a client becomes a member of a room. */
export interface Entrance {
  readonly path: string;
  /** Sent once connected. */
  readonly hello?: string;
  /** Frames received before it is a member. */
  readonly frames: number;
}

/** Connects many, a few at a time, and waits until each is a member. */
export async function connectAll(port: number, entrances: readonly Entrance[]): Promise<RawClient[]> {
  const clients: RawClient[] = [];
  for (let start = 0; start < entrances.length; start += 64) {
    const batch = entrances.slice(start, start + 64).map((entrance) => enter(port, entrance));
    clients.push(...(await Promise.all(batch)));
  }
  return clients;
}

async function enter(port: number, { path, hello, frames }: Entrance): Promise<RawClient> {
  const client = await RawClient.connect(port, path);
  if (hello !== undefined) client.send(hello);
  if (client.frames < frames) await client.next(() => client.frames >= frames);
  return client;
}
