/**
 * A token bucket written as a clock (the generic cell rate algorithm of ITU-T I.371): all its state is the time at which
 * the bucket will be full again, and it knows by itself how long what it has not enough tokens for has to wait.
 */
export class RateLimit {
  readonly #tokenMs: number;
  readonly #burstMs: number;
  readonly #maxWaitMs: number;
  #fullAt = 0;

  /** `maxWaitMs` is how long something may wait for its token; what would wait longer is refused. */
  constructor(options: { readonly perSecond: number; readonly burst: number; readonly maxWaitMs: number }) {
    this.#tokenMs = 1_000 / options.perSecond;
    this.#burstMs = options.burst * this.#tokenMs;
    this.#maxWaitMs = options.maxWaitMs;
  }

  /** Takes a token at `now`, in milliseconds; returns how long to wait for it, or undefined when it is refused. */
  take(now: number): number | undefined {
    const fullAt = Math.max(this.#fullAt, now) + this.#tokenMs;
    const waitMs = Math.max(0, fullAt - this.#burstMs - now);
    if (waitMs > this.#maxWaitMs) return undefined;
    this.#fullAt = fullAt;
    return waitMs;
  }

  /** How long until a token would not have to be waited for. */
  waitMs(now: number): number {
    return Math.max(0, this.#fullAt + this.#tokenMs - this.#burstMs - now);
  }

  /** True when nothing was taken for so long that the whole burst is available again. */
  isFull(now: number): boolean {
    return this.#fullAt <= now;
  }
}
