/** Whole seconds that are looked back upon. */
const WINDOW = 5;

/** How often something happens: the mean over the last whole seconds. */
export class EventRate {
  readonly #now: () => number;
  /** Counts of the latest seconds; a second's place is its number modulo their count. */
  readonly #counts = new Array<number>(WINDOW + 1).fill(0);
  #second: number;

  /** @param options.now milliseconds of a clock that never goes back. Default performance.now. */
  constructor(options: { readonly now?: () => number } = {}) {
    this.#now = options.now ?? (() => performance.now());
    this.#second = Math.floor(this.#now() / 1_000);
  }

  /** It happened. */
  count(): void {
    this.#advance();
    const at = this.#second % this.#counts.length;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  /** Times per second, without the second that is not over. */
  perSecond(): number {
    this.#advance();
    const current = this.#counts[this.#second % this.#counts.length] ?? 0;
    return (this.#counts.reduce((sum, count) => sum + count, 0) - current) / WINDOW;
  }

  /** Forgets the seconds that went by since. */
  #advance(): void {
    const second = Math.floor(this.#now() / 1_000);
    const passed = Math.min(second - this.#second, this.#counts.length);
    for (let step = 0; step < passed; step++) this.#counts[(second - step) % this.#counts.length] = 0;
    this.#second = second;
  }
}
