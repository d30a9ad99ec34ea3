import type { Broker, StoredEvent, Unsubscribe } from "../../broker/broker.ts";
import { RoomError } from "../errors.ts";
import { RevisionWaiters } from "./revision-waiters.ts";

/** Hears events of the log in order. Must not block or throw. */
export type TailListener = (stored: StoredEvent) => void;

/** One subscription to the whole log for everybody in the process who has to hear everything. */
export class SharedTail {
  readonly #broker: Broker;
  readonly #listeners = new Set<TailListener>();
  readonly #waiters = new RevisionWaiters();
  #position = 0;
  #from = 0;
  #caughtUp = false;
  #unsubscribe: Unsubscribe | undefined;
  #closed = false;

  constructor(options: { broker: Broker }) {
    this.#broker = options.broker;
  }

  /** Everything up to here was stored and is heard no more; everything after it will be, in order and without holes. */
  get position(): number {
    return this.#position;
  }

  /** Position after which everything stored is heard, once caught up. */
  get from(): number {
    return this.#from;
  }

  /** True once everything from `from` on to the position was heard. */
  get caughtUp(): boolean {
    return this.#caughtUp;
  }

  /**
   * Begins; resolves when new events are heard.
   * @param lookBack how many seqs before the log's end are heard, too. They do not move the position.
   * @throws RoomError unavailable.
   */
  async start(lookBack: number): Promise<void> {
    this.#position = await this.#broker.logEnd();
    this.#from = Math.max(0, this.#position - lookBack);
    const unsubscribe = await this.#broker.tail(
      this.#from,
      (stored) => this.#hear(stored),
      () => this.#catchUp(),
    );
    if (this.#closed) unsubscribe();
    else this.#unsubscribe = unsubscribe;
  }

  /** Hears every event from now on. */
  listen(listener: TailListener): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Resolves once everything from `from` up to a seq that is stored was heard.
   * @throws RoomError unavailable after `ms`.
   */
  async reached(seq: number, ms: number): Promise<void> {
    if (this.#caughtUp && this.#position >= seq) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const late = new RoomError("unavailable", "the log is still being read");
    const timer = setTimeout(() => reject(late), ms);
    this.#waiters.add({ revision: seq, resolve, reject });
    try {
      await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Nobody hears anything after this. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#listeners.clear();
    this.#unsubscribe?.();
    this.#waiters.fail(new RoomError("unavailable", "this replica is stopping"));
  }

  #catchUp(): void {
    this.#caughtUp = true;
    this.#waiters.advance(this.#position);
  }

  #hear(stored: StoredEvent): void {
    this.#position = Math.max(this.#position, stored.seq);
    for (const listener of this.#listeners) listener(stored);
    if (this.#caughtUp) this.#waiters.advance(stored.seq);
  }
}
