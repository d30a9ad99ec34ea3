import type { Socket } from "node:net";
import { WebSocket } from "ws";

/** What Intake may take; each has its default. */
export interface IntakeOptions {
  /** Most of a turn of the event loop that reading clients' frames takes, in milliseconds. Default 4. */
  readonly turnMs?: number;
  /** Bytes of one client that are read at once. Default 8,192. */
  readonly firstBytes?: number;
  /** Bytes of one client that are read per turn after that. Default 512. */
  readonly nextBytes?: number;
  /** The clock, in milliseconds. Default performance.now. */
  readonly now?: () => number;
}

type Feed = (this: Socket, bytes: Buffer) => void;

const WEB_SOCKET = Symbol("webSocket");
/** A client's socket. What it belongs to is kept on it: a listener that knows would be one for each connection. */
type ClientStream = Socket & { [WEB_SOCKET]: WebSocket };

/** A client's bytes that were not handed to ws yet; it is not read from meanwhile. */
interface Backlog {
  bytes: Buffer;
  readonly onClose: () => void;
}

const TURN_MS = 4;
const FIRST_BYTES = 8 * 1024;
const NEXT_BYTES = 512;

/**
 * Hands what sockets receive to ws, in portions. One read may hold three thousand small frames, which ws takes apart
 * without a pause, and all flooding sockets are read in the same turn: with 200 of them a turn took over a second. Who
 * sends little notices nothing; who sends much waits for its turn, and TCP tells it to.
 */
export class Intake {
  readonly #turnMs: number;
  readonly #firstBytes: number;
  readonly #nextBytes: number;
  readonly #now: () => number;
  readonly #backlogs = new Map<ClientStream, Backlog>();
  /** ws's listener, the same for all sockets. */
  #feed: Feed = () => undefined;
  readonly #onData: Feed;
  /** When reading in this turn must end; undefined while nothing was read in it. */
  #end: number | undefined;

  constructor({ turnMs = TURN_MS, firstBytes = FIRST_BYTES, nextBytes = NEXT_BYTES, now }: IntakeOptions = {}) {
    this.#turnMs = turnMs;
    this.#firstBytes = firstBytes;
    this.#nextBytes = nextBytes;
    this.#now = now ?? (() => performance.now());
    const intake = this;
    this.#onData = function (bytes) {
      intake.#take(this as ClientStream, bytes);
    };
  }

  /** Takes over the socket of a WebSocket that was just made. */
  attach(webSocket: WebSocket, socket: Socket): void {
    this.#feed = socket.listeners("data").at(-1) as Feed;
    Object.assign(socket, { [WEB_SOCKET]: webSocket });
    socket.on("data", this.#onData);
    socket.off("data", this.#feed);
  }

  #take(socket: ClientStream, bytes: Buffer): void {
    const known = this.#backlogs.get(socket);
    if (known === undefined) {
      // Who sends little does not wait behind those who send much, and needs no clock.
      const portion = bytes.length <= this.#nextBytes || this.#hasTime() ? this.#firstBytes : 0;
      if (bytes.length <= portion) {
        this.#feed.call(socket, bytes);
        return;
      }
      this.#keep(socket, bytes.subarray(portion));
      if (portion > 0) this.#feed.call(socket, bytes.subarray(0, portion));
    } else {
      // It was resumed from elsewhere.
      known.bytes = Buffer.concat([known.bytes, bytes]);
    }
    socket.pause();
  }

  #keep(socket: ClientStream, bytes: Buffer): void {
    const backlog: Backlog = { bytes, onClose: () => this.#finish(socket, backlog) };
    this.#backlogs.set(socket, backlog);
    // Before ws's own: it reads what the socket still holds, which comes after what is kept here.
    socket.prependOnceListener("close", backlog.onClose);
  }

  #hasTime(): boolean {
    const now = this.#now();
    if (this.#end === undefined) {
      this.#end = now + this.#turnMs;
      setImmediate(() => this.#turn());
    }
    return now < this.#end;
  }

  /** A new turn begins: those that wait come first, one after the other. */
  #turn(): void {
    this.#end = undefined;
    if (this.#backlogs.size === 0) return;
    for (const [socket, backlog] of this.#backlogs) {
      if (!this.#hasTime()) return;
      this.#backlogs.delete(socket);
      this.#goOn(socket, backlog);
    }
  }

  #goOn(socket: ClientStream, backlog: Backlog): void {
    const { bytes } = backlog;
    const webSocket = socket[WEB_SOCKET];
    // Of who is sent away nothing more is read: a gigabyte a second thrown away keeps the garbage collector busy, too.
    if (socket.destroyed || webSocket.readyState !== WebSocket.OPEN) return;
    this.#feed.call(socket, bytes.subarray(0, this.#nextBytes));
    backlog.bytes = bytes.subarray(this.#nextBytes);
    if (backlog.bytes.length > 0) {
      this.#backlogs.set(socket, backlog);
      return;
    }
    socket.off("close", backlog.onClose);
    if (!webSocket.isPaused) socket.resume();
  }

  /** The socket is gone: what it had sent counts, unless it was sent away. */
  #finish(socket: ClientStream, { bytes }: Backlog): void {
    if (socket[WEB_SOCKET].readyState === WebSocket.OPEN) this.#feed.call(socket, bytes);
    else socket.read();
  }
}
