import type { RoomError } from "../services/errors.ts";
import type { Logger } from "../services/log.ts";
import type { StoredEvent, Unsubscribe } from "./broker.ts";
import type { EventListener, LiveFeed } from "./embedded-live.ts";
import type { TailRow } from "./embedded-protocol.ts";
import type { StorageThread } from "./embedded-thread.ts";

const RETRY_MS = 1_000;

/**
 * One listener to the whole log: reads pages until one is the last, and is live from that answer on. No event can be
 * lost or doubled between: what was answered before the page is in it, what is answered after it is delivered live.
 */
export class Tail {
  readonly #thread: StorageThread;
  readonly #live: LiveFeed;
  readonly #log: Logger;
  readonly #decode: (row: TailRow) => StoredEvent;
  readonly #listener: EventListener;
  readonly #onCaughtUp: (() => void) | undefined;
  #after: number;
  #ended = false;
  #retry: NodeJS.Timeout | undefined;
  #unsubscribe: Unsubscribe | undefined;

  constructor(options: {
    thread: StorageThread;
    live: LiveFeed;
    log: Logger;
    decode: (row: TailRow) => StoredEvent;
    after: number;
    listener: EventListener;
    onCaughtUp?: (() => void) | undefined;
  }) {
    this.#thread = options.thread;
    this.#live = options.live;
    this.#log = options.log;
    this.#decode = options.decode;
    this.#after = options.after;
    this.#listener = options.listener;
    this.#onCaughtUp = options.onCaughtUp;
  }

  /** Resolves once the first page was heard. @throws RoomError unavailable when it cannot be read. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => this.#readPage(resolve, reject));
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#retry);
    this.#unsubscribe?.();
  }

  #readPage(heard: () => void, failed: (error: RoomError) => void): void {
    this.#thread.read(
      { kind: "tail", after: this.#after },
      {
        done: ({ rows, complete }) => {
          for (const row of rows) this.#hear(row.seq, () => this.#decode(row));
          heard();
          if (this.#ended) return;
          if (!complete) return this.#readOn();
          this.#unsubscribe = this.#live.addAll((stored) => this.#hear(stored.seq, () => stored));
          this.#live.call(() => this.#onCaughtUp?.());
        },
        fail: failed,
      },
    );
  }

  #readOn(): void {
    const again = (error: RoomError): void => {
      if (this.#ended || this.#thread.isClosed) return;
      this.#log.warn({ err: error }, "the log cannot be read, trying again");
      this.#retry = setTimeout(() => this.#readOn(), RETRY_MS).unref();
    };
    this.#readPage(() => undefined, again);
  }

  #hear(seq: number, stored: () => StoredEvent): void {
    if (this.#ended || seq <= this.#after) return;
    this.#after = seq;
    this.#live.call(() => this.#listener(stored()));
  }
}
