import type { Socket } from "node:net";
import { WebSocket } from "ws";
import type { AfterTurn, FanOut, Flushable, Flushed } from "./fan-out.ts";

/** What an outbox needs. */
export interface OutboxOptions {
  readonly webSocket: WebSocket;
  /** The socket below the WebSocket. Frames are written here, past ws, since they are encoded already. */
  readonly socket: Socket;
  readonly fanOut: FanOut;
  /** Most bytes that may wait for the client to read. */
  readonly maxBytes: number;
  /** The queue is full: from now on nothing is written, so the connection must end. Called outside of any write. */
  readonly onOverflow: () => void;
}

/** An unmasked ping without payload. */
const PING = Buffer.from([0x89, 0x00]);

/**
 * What one connection has yet to receive. The queue is the socket's own; the outbox bounds it. Nothing is ever left out
 * of it silently: what does not fit ends the connection. Nothing is written after a Close frame.
 */
export class Outbox implements Flushable, AfterTurn {
  readonly #options: OutboxOptions;
  /** Replies of this turn, not written yet. */
  #pending: Buffer[] = [];
  #corked = false;
  #state: "open" | "full" | "closed" = "open";
  #lossy = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** True once something was left out: the queue was full, or the client was leaving. */
  get lossy(): boolean {
    return this.#lossy;
  }

  /** False when whatever is pushed is left out. */
  get isOpen(): boolean {
    return this.#state === "open" && this.#options.webSocket.readyState === WebSocket.OPEN;
  }

  /** Queues a frame for this connection alone; it is written before any room's frames that are written later. */
  push(frame: Buffer): void {
    if (this.#state !== "open") return;
    this.#pending.push(frame);
    if (this.#pending.length === 1) this.#options.fanOut.outbox(this);
  }

  /** Writes bytes that many connections share, behind what was pushed. */
  write(shared: Buffer): void {
    if (this.#pending.length > 0) {
      this.#cork();
      this.flush();
    } else if (this.#options.fanOut.corking) {
      this.#cork();
    }
    this.#send(shared);
  }

  /** Writes what was pushed. */
  flush(): Flushed {
    const [first] = this.#pending;
    if (first !== undefined) {
      const frames = this.#pending;
      this.#pending = [];
      this.#send(frames.length === 1 ? first : Buffer.concat(frames));
    }
    return { writes: first === undefined ? 0 : 1, done: true };
  }

  /** Sends a WebSocket ping, behind what was pushed. */
  ping(): void {
    this.flush();
    this.#send(PING);
  }

  /** Bytes that wait for the client to read. */
  get waiting(): number {
    return this.#options.socket.writableLength;
  }

  /** Nothing is written any more. What was pushed before is. */
  close(): void {
    if (this.#state !== "open") return;
    this.flush();
    if (this.#corked) this.#uncork();
    this.#state = "closed";
  }

  /** Part of FanOut's turn. */
  afterTurn(): void {
    if (this.#corked) this.#uncork();
    if (this.#state === "full") {
      this.#state = "closed";
      this.#options.onOverflow();
    }
  }

  #send(bytes: Buffer): void {
    const { webSocket, socket, maxBytes, fanOut } = this.#options;
    if (this.#state !== "open") return;
    if (webSocket.readyState !== WebSocket.OPEN) {
      this.#lossy = true;
      return;
    }
    const waiting = socket.writableLength;
    // An empty queue takes whatever comes: a page of history may be larger than the least maxOutboxBytes.
    if (waiting > 0 && waiting + bytes.length > maxBytes) {
      this.#state = "full";
      this.#lossy = true;
      this.#pending = [];
      // Not at once: the caller may be walking through the room that this connection will leave.
      fanOut.after(this);
      return;
    }
    socket.write(bytes);
  }

  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#options.socket.cork();
    this.#options.fanOut.after(this);
  }

  #uncork(): void {
    this.#corked = false;
    this.#options.socket.uncork();
  }
}
