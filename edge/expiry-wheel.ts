/** Something that ends at a time of the calendar. */
export interface Expiring {
  /** Its time has come. It is no longer in the wheel. */
  onExpired(): void;
}

const SECOND_MS = 1_000;

/**
 * One clock for everything that ends by itself. What ends within the same second is kept together, so that a tick looks
 * at seconds and not at each thing.
 */
export class ExpiryWheel {
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  readonly #seconds = new Map<number, Set<Expiring>>();
  readonly #secondOf = new Map<Expiring, number>();

  /** `now` is the clock, in milliseconds since 1970; default Date.now. */
  constructor(options: { readonly now?: () => number } = {}) {
    this.#now = options.now ?? Date.now;
    this.#timer = setInterval(() => this.#tick(), SECOND_MS);
  }

  /** Has it end at `atMs`, within a second after that; replaces an earlier time. */
  set(item: Expiring, atMs: number): void {
    this.delete(item);
    const second = Math.ceil(atMs / SECOND_MS);
    const together = this.#seconds.get(second) ?? new Set();
    this.#seconds.set(second, together.add(item));
    this.#secondOf.set(item, second);
  }

  /** Forgets it. */
  delete(item: Expiring): void {
    const second = this.#secondOf.get(item);
    if (second === undefined) return;
    this.#secondOf.delete(item);
    const together = this.#seconds.get(second);
    together?.delete(item);
    if (together?.size === 0) this.#seconds.delete(second);
  }

  /** Stops the clock. */
  close(): void {
    clearInterval(this.#timer);
    this.#seconds.clear();
    this.#secondOf.clear();
  }

  #tick(): void {
    const now = this.#now();
    // Not counted up from the last tick: a calendar's clock may be set forward by years.
    for (const second of [...this.#seconds.keys()]) if (second * SECOND_MS <= now) this.#expire(second);
  }

  #expire(second: number): void {
    for (const item of [...(this.#seconds.get(second) ?? [])]) {
      this.delete(item);
      item.onExpired();
    }
  }
}
