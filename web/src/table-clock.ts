/** Observations that count: enough to see through one that was late, few enough to follow a clock that was set. */
const KEPT = 16;

/**
 * The server's clock, as far as it can be told from here: what a server sent cannot come before it was sent, so of several
 * times that came, the one that was least late is nearest. The device's own clock may be wrong by hours.
 */
export class ServerClock {
  readonly #ticks: () => number;
  readonly #local: () => number;
  #ahead: readonly number[] = [];

  /** @param options.ticks milliseconds that only go on. @param options.local the device's clock, taken until more is known. */
  constructor(options: { ticks: () => number; local: () => number }) {
    this.#ticks = options.ticks;
    this.#local = options.local;
  }

  /** A time of the server's has just come, in milliseconds since the epoch. What is no time is not heard. */
  heard(serverMs: number): void {
    if (!Number.isFinite(serverMs)) return;
    this.#ahead = [...this.#ahead, serverMs - this.#ticks()].slice(-KEPT);
  }

  /** Asks for the time, so that it is known before anything comes. */
  async ask(serverTime: () => Promise<number>): Promise<void> {
    try {
      this.heard(await serverTime());
    } catch {
      // What comes next says it, too.
    }
  }

  /** Now, in milliseconds since the epoch. */
  now(): number {
    return this.#ahead.length === 0 ? this.#local() : this.#ticks() + Math.max(...this.#ahead);
  }
}
