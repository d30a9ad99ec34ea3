import { RoomClientError } from "./types.ts";
import type { Frame } from "./wire.ts";
import { randomId } from "./wire.ts";

/**
 * What is sent to one room, in order, exactly once: one message is under way at a time, and it is tried again with the
 * same id until the server answered, through reconnects. The server recognises an id for 120 s, so a message whose first
 * try is older than that is given up as `timeout`: its outcome is unknown.
 */
export class Lane {
  readonly #queue: Outgoing[] = [];
  readonly #options: LaneOptions;
  #busy = false;
  #closed: RoomClientError | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** How many wait, the one under way included. */
  get size(): number {
    return this.#queue.length;
  }

  /** Queues a message. Resolves with the `ack`. @throws RoomClientError the server's refusal, or `timeout`, `closed`. */
  push(payload: Record<string, unknown>, id: string = randomId()): Promise<Frame> {
    if (this.#closed) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      this.#queue.push({ id, payload, resolve, reject, firstTryAt: undefined, tries: 0 });
      this.flush();
    });
  }

  /** Goes on; call it when the connection is live and the room joined. */
  flush(): void {
    const next = this.#queue[0];
    if (!next || this.#busy || !this.#options.ready()) return;
    clearTimeout(this.#timer);
    this.#busy = true;
    next.firstTryAt ??= Date.now();
    next.tries++;
    this.#options.request(next.payload, next.id).then(
      (ack) => this.#settle(() => next.resolve(ack)),
      (error: RoomClientError) => this.#failed(next, error),
    );
  }

  /** Fails everything that waits, and all that comes later. */
  close(error: RoomClientError): void {
    this.#closed = error;
    clearTimeout(this.#timer);
    for (const outgoing of this.#queue.splice(0)) outgoing.reject(error);
  }

  #failed(outgoing: Outgoing, error: RoomClientError): void {
    const age = Date.now() - (outgoing.firstTryAt ?? 0);
    if (!error.retryable) this.#settle(() => outgoing.reject(error));
    else if (age > RETRY_FOR_MS) this.#settle(() => outgoing.reject(new RoomClientError("timeout", "outcome unknown")));
    else {
      this.#busy = false;
      // A lost connection is waited for by whoever calls flush; anything else by time.
      const wait =
        error.retryAfterMs || Math.min(5_000, 100 * 2 ** outgoing.tries) * (0.5 + this.#options.random() / 2);
      this.#timer = setTimeout(() => this.flush(), wait);
    }
  }

  #settle(answer: () => void): void {
    this.#busy = false;
    this.#queue.shift();
    answer();
    this.flush();
  }
}

/** What a lane needs. */
export interface LaneOptions {
  readonly request: (payload: Record<string, unknown>, id: string) => Promise<Frame>;
  readonly ready: () => boolean;
  readonly random: () => number;
}

interface Outgoing {
  readonly id: string;
  readonly payload: Record<string, unknown>;
  readonly resolve: (ack: Frame) => void;
  readonly reject: (error: RoomClientError) => void;
  firstTryAt: number | undefined;
  tries: number;
}

/** Ten seconds less than the server's promise: the last try needs time to arrive. */
const RETRY_FOR_MS = 110_000;
