import { monitorEventLoopDelay } from "node:perf_hooks";

const WINDOW_MS = 1_000;
const RESOLUTION_MS = 20;
const NANOSECONDS_PER_MS = 1e6;

/**
 * Watches how late the event loop is: the mean of the last second, so that one long turn (a garbage collection) says
 * nothing, and turns that are long one after the other do.
 */
export class EventLoopLag {
  readonly #histogram: ReturnType<typeof monitorEventLoopDelay>;
  readonly #timer: NodeJS.Timeout;
  #lagMs = 0;

  /** `onMeasured` hears every measurement, in milliseconds. */
  constructor(options: { readonly onMeasured?: (lagMs: number) => void } = {}) {
    this.#histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.#histogram.enable();
    this.#timer = setInterval(() => {
      const { mean, count } = this.#histogram;
      // What is measured is the time between two ticks, of which the resolution is no delay.
      this.#lagMs = count === 0 ? 0 : Math.max(0, mean / NANOSECONDS_PER_MS - RESOLUTION_MS);
      this.#histogram.reset();
      options.onMeasured?.(this.#lagMs);
    }, WINDOW_MS);
  }

  /** How late the event loop was on average in the last second, in milliseconds. */
  get lagMs(): number {
    return this.#lagMs;
  }

  /** Stops watching. */
  close(): void {
    clearInterval(this.#timer);
    this.#histogram.disable();
  }
}
