import type { Broker, StoredEvent, Unsubscribe } from "../../broker/broker.ts";

/** Hears events of the log in order. Must not block or throw. */
export type TailListener = (stored: StoredEvent) => void;

/** One subscription to the whole log for everybody in the process who has to hear everything. */
export class SharedTail {
  readonly #broker: Broker;
  readonly #listeners = new Set<TailListener>();
  #position = 0;
  #unsubscribe: Unsubscribe | undefined;
  #closed = false;

  constructor(options: { broker: Broker }) {
    this.#broker = options.broker;
  }

  /** Everything up to here was stored and is heard no more; everything after it will be, in order and without holes. */
  get position(): number {
    return this.#position;
  }

  /**
   * Begins; resolves when new events are heard.
   * @param lookBack how many seqs before the log's end are heard, too. They do not move the position.
   * @throws RoomError unavailable.
   */
  async start(lookBack: number): Promise<void> {
    this.#position = await this.#broker.logEnd();
    const after = Math.max(0, this.#position - lookBack);
    const unsubscribe = await this.#broker.tail(after, (stored) => this.#hear(stored));
    if (this.#closed) unsubscribe();
    else this.#unsubscribe = unsubscribe;
  }

  /** Hears every event from now on. */
  listen(listener: TailListener): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Nobody hears anything after this. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#listeners.clear();
    this.#unsubscribe?.();
  }

  #hear(stored: StoredEvent): void {
    this.#position = Math.max(this.#position, stored.seq);
    for (const listener of this.#listeners) listener(stored);
  }
}
