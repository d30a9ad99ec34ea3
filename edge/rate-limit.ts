/** How fast something may go. */
export interface RateRule {
  readonly perSecond: number;
  readonly burst: number;
  /** How long something may wait for its token, in milliseconds; what would wait longer is refused. */
  readonly maxWaitMs: number;
}

/**
 * A token bucket written as a clock (the generic cell rate algorithm of ITU-T I.371): all its state is the time at which
 * the bucket will be full again, and it knows by itself how long what it has not enough tokens for has to wait.
 */
export class RateLimit {
  readonly #rule: RateRule;
  #fullAt = 0;

  /** The rule is kept, not copied: thousands of buckets have the same one. */
  constructor(rule: RateRule) {
    this.#rule = rule;
  }

  /** Takes a token at `now`, in milliseconds; returns how long to wait for it, or undefined when it is refused. */
  take(now: number): number | undefined {
    const { perSecond, burst, maxWaitMs } = this.#rule;
    const tokenMs = 1_000 / perSecond;
    const fullAt = Math.max(this.#fullAt, now) + tokenMs;
    const waitMs = Math.max(0, fullAt - burst * tokenMs - now);
    if (waitMs > maxWaitMs) return undefined;
    this.#fullAt = fullAt;
    return waitMs;
  }

  /** How long until a token would not have to be waited for. */
  waitMs(now: number): number {
    const { perSecond, burst } = this.#rule;
    return Math.max(0, this.#fullAt - ((burst - 1) * 1_000) / perSecond - now);
  }

  /** True when nothing was taken for so long that the whole burst is available again. */
  isFull(now: number): boolean {
    return this.#fullAt <= now;
  }
}
