import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { eventually } from "./eventually.ts";

const UPGRADED = "\r\n\r\n";
/** As much of a frame as is looked at: type, room, id and seq are in it. */
const LOOKED_AT = 256;
const OPCODE_CLOSE = 8;

/** A member of one room that costs next to nothing: it looks at the beginning of each frame and counts. For crowds. */
export class ThinClient implements Disposable {
  /** Seqs of the messages it was pushed, in their order. */
  readonly seqs: number[] = [];
  readonly #socket: Socket;
  #upgraded = false;
  #joined = false;
  #closeCode: number | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #skip = 0;

  /** Resolves when it is in the room. */
  static async join(edge: string, room: string): Promise<ThinClient> {
    const { hostname, port, host } = new URL(edge);
    const socket = connect(Number(port), hostname);
    const client = new ThinClient(socket);
    const lines = [
      `GET /ws?room_id=${room} HTTP/1.1`,
      `Host: ${host}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
    ];
    socket.write(`${lines.join("\r\n")}${UPGRADED}`);
    await eventually("a thin client to be in its room", () => client.#joined, { withinMs: 30_000 });
    return client;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes) => this.#read(bytes));
    // A reset is one of the ways the server may end a connection.
    socket.on("error", () => socket.destroy());
  }

  /** Stops reading, so that the server's data fills the buffers between. */
  pause(): void {
    this.#socket.pause();
  }

  /** Reads again. */
  resume(): void {
    this.#socket.resume();
  }

  /** Waits for the server's Close frame. @throws Error when the connection ends without. */
  async closeCode(): Promise<number> {
    return await eventually("a close frame", () => this.#closeCode, {
      state: () => ({ messages: this.seqs.length, gone: this.#socket.closed }),
    });
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    let at = 0;
    if (this.#skip === 0 && this.#rest.length > 0) bytes = Buffer.concat([this.#rest, bytes]);
    if (!this.#upgraded) {
      const end = bytes.indexOf(UPGRADED);
      this.#upgraded = end >= 0;
      if (this.#upgraded) at = end + UPGRADED.length;
    }
    while (this.#upgraded && at < bytes.length) {
      if (this.#skip === 0) {
        const length = this.#frame(bytes.subarray(at));
        if (length === undefined) break;
        this.#skip = length;
      }
      const step = Math.min(this.#skip, bytes.length - at);
      this.#skip -= step;
      at += step;
    }
    this.#rest = bytes.subarray(at);
  }

  /** Looks at a frame; returns how long it is in all, undefined while its beginning is not all there. */
  #frame(bytes: Buffer): number | undefined {
    const short = (bytes[1] ?? 0) & 0x7f;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (bytes.length < head) return undefined;
    const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
    if (bytes.length < head + Math.min(length, LOOKED_AT)) return undefined;
    const payload = bytes.subarray(head, head + Math.min(length, LOOKED_AT));
    if (((bytes[0] ?? 0) & 0x0f) === OPCODE_CLOSE) this.#closeCode = payload.readUInt16BE(0);
    else this.#look(payload.toString("latin1"));
    return head + length;
  }

  #look(beginning: string): void {
    if (beginning.startsWith('{"type":"room_joined"')) this.#joined = true;
    if (!beginning.startsWith('{"type":"new_message"')) return;
    const [, seq] = /"seq":(\d+)/.exec(beginning) ?? [];
    if (seq === undefined) throw new Error(`no seq in ${beginning}`);
    this.seqs.push(Number(seq));
  }
}
