/** What Paced needs. */
export interface PacedOptions<T> {
  /** Time of one turn of the event loop that may be used, in milliseconds; one item is carried out in any case. */
  readonly sliceMs: number;
  /** Most items that wait. */
  readonly max: number;
  /** Carries an item out. Must not throw. */
  readonly run: (item: T) => void;
  /** The clock, in milliseconds. Default performance.now. */
  readonly now?: () => number;
}

/**
 * Carries items out in the order they came, some in each turn of the event loop: when thousands come at once, whatever
 * else is due has its turn in between.
 */
export class Paced<T> {
  readonly #options: PacedOptions<T>;
  readonly #now: () => number;
  readonly #waiting: T[] = [];
  #scheduled: NodeJS.Immediate | undefined;

  constructor(options: PacedOptions<T>) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Adds an item. False when too many wait: it is not taken. */
  push(item: T): boolean {
    if (this.#waiting.length >= this.#options.max) return false;
    this.#waiting.push(item);
    this.#scheduled ??= setImmediate(() => this.#turn());
    return true;
  }

  /** Carries nothing more out; returns what waited. */
  close(): readonly T[] {
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    return this.#waiting.splice(0);
  }

  #turn(): void {
    const { sliceMs, run } = this.#options;
    const end = this.#now() + sliceMs;
    this.#scheduled = undefined;
    do {
      const item = this.#waiting.shift();
      if (item === undefined) return;
      run(item);
    } while (this.#now() < end);
    if (this.#waiting.length > 0) this.#scheduled ??= setImmediate(() => this.#turn());
  }
}
