import type { Socket } from "node:net";
import type { AfterTurn, FanOut, Flushable, Flushed } from "./fan-out.ts";

/** What an outbox needs. */
export interface OutboxOptions {
  /** The socket below the WebSocket. Frames are written here, past ws, since they are encoded already. */
  readonly socket: Socket;
  readonly fanOut: FanOut;
  /** Most bytes that may wait for the client to read. */
  readonly maxBytes: number;
  readonly owner: OutboxOwner;
}

/** Whose outbox it is. */
export interface OutboxOwner {
  /** The queue is full: from now on nothing is written, so the connection must end. Called outside of any write. */
  onOverflow(): void;
}

/** Up to here bytes that other connections get too are copied behind others: a write by itself costs more. */
const COPIED_BYTES = 4_096;
/** An unmasked ping without payload. */
const PING = Buffer.from([0x89, 0x00]);

/**
 * What one connection has yet to receive. The queue is the socket's own; the outbox bounds it. Nothing is ever left out
 * of it silently: what does not fit ends the connection. Nothing is written after a Close frame.
 */
export class Outbox implements Flushable, AfterTurn {
  // Each by itself: fan-out looks at them once per member, between writes that empty the processor's caches.
  readonly #socket: Socket;
  readonly #fanOut: FanOut;
  readonly #maxBytes: number;
  readonly #owner: OutboxOwner;
  /** Frames of this turn, not written yet; undefined when there are none, as most of the time. */
  #pending: Buffer[] | undefined;
  /** How many rooms write here. */
  rooms = 0;
  #state: "open" | "full" | "closed" = "open";
  #lossy = false;

  constructor(options: OutboxOptions) {
    this.#socket = options.socket;
    this.#fanOut = options.fanOut;
    this.#maxBytes = options.maxBytes;
    this.#owner = options.owner;
  }

  /** True once something was left out that was taken: the queue was full, or the socket is gone. */
  get lossy(): boolean {
    return this.#lossy;
  }

  /** False when whatever is pushed is left out. */
  get isOpen(): boolean {
    return this.#state === "open" && this.#socket.writable;
  }

  /** Queues a frame for this connection alone; it is written before any room's frames that are written later. */
  push(frame: Buffer): void {
    if (this.#state !== "open") return;
    if (this.#pending !== undefined) {
      this.#pending.push(frame);
      return;
    }
    this.#pending = [frame];
    this.#fanOut.outbox(this);
  }

  /** Writes bytes that many connections share, behind what was pushed. */
  write(shared: Buffer): void {
    if (this.#fanOut.gathering && this.rooms > 1 && shared.length <= COPIED_BYTES) {
      this.push(shared);
      return;
    }
    if (this.#pending === undefined) {
      this.#send(shared);
      return;
    }
    this.#pending.push(shared);
    this.flush();
  }

  /** Writes what was pushed. */
  flush(): Flushed {
    const frames = this.#pending;
    const first = frames?.[0];
    if (frames === undefined || first === undefined) return { writes: 0, done: true };
    this.#pending = undefined;
    this.#send(frames.length === 1 ? first : Buffer.concat(frames));
    return { writes: 1, done: true };
  }

  /** Sends a WebSocket ping, behind what was pushed. */
  ping(): void {
    this.flush();
    this.#send(PING);
  }

  /** Bytes that wait for the client to read. */
  get waiting(): number {
    return this.#socket.writableLength;
  }

  /** Nothing is written any more. What was pushed before is. */
  close(): void {
    if (this.#state !== "open") return;
    this.flush();
    this.#state = "closed";
  }

  /** Part of FanOut's turn. */
  afterTurn(): void {
    if (this.#state !== "full") return;
    this.#state = "closed";
    this.#owner.onOverflow();
  }

  #send(bytes: Buffer): void {
    if (this.#state !== "open") return;
    if (!this.#socket.writable) {
      this.#lossy = true;
      return;
    }
    const waiting = this.#socket.writableLength;
    // An empty queue takes whatever comes: a page of history may be larger than the least maxOutboxBytes.
    if (waiting > 0 && waiting + bytes.length > this.#maxBytes) {
      this.#state = "full";
      this.#lossy = true;
      this.#pending = undefined;
      // Not at once: the caller may be walking through the room that this connection will leave.
      this.#fanOut.after(this);
      return;
    }
    this.#socket.write(bytes);
  }
}
