import { RateLimit, type RateRule } from "./rate-limit.ts";

/** Buckets above which those that are full again are looked for. */
const SWEEP_ABOVE = 1_000;

/**
 * A token bucket for each key, such as an address or a user. A bucket that is full again is as good as none, so what is
 * kept is bounded by what was used lately.
 */
export class RateLimits {
  readonly #rule: RateRule;
  readonly #limits = new Map<string, RateLimit>();
  #sweepAbove = SWEEP_ABOVE;

  /** The same rule for every key. */
  constructor(rule: RateRule) {
    this.#rule = rule;
  }

  /** How many buckets are kept. */
  get size(): number {
    return this.#limits.size;
  }

  /** Takes a token of a key at `now`, in milliseconds; returns how long to wait for it, or undefined when it is refused. */
  take(key: string, now: number): number | undefined {
    const known = this.#limits.get(key);
    if (known !== undefined) return known.take(now);
    if (this.#limits.size >= this.#sweepAbove) this.#sweep(now);
    const limit = new RateLimit(this.#rule);
    this.#limits.set(key, limit);
    return limit.take(now);
  }

  /** How long until a token of a key would not have to be waited for. */
  waitMs(key: string, now: number): number {
    return this.#limits.get(key)?.waitMs(now) ?? 0;
  }

  #sweep(now: number): void {
    for (const [key, limit] of this.#limits) if (limit.isFull(now)) this.#limits.delete(key);
    // Only when as many again have come is it worth another look.
    this.#sweepAbove = Math.max(SWEEP_ABOVE, 2 * this.#limits.size);
  }
}
