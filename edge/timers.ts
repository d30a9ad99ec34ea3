/** Timers that end with their owner. */
export class Timers {
  /** Made when it is needed: there is one of these for every room. */
  #timers: Set<NodeJS.Timeout> | undefined;

  /** Calls back once, in so many milliseconds. */
  after(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers?.delete(timer);
      if (this.#timers?.size === 0) this.#timers = undefined;
      act();
    }, ms);
    this.#keep(timer);
  }

  /** Calls back every so many milliseconds. */
  every(ms: number, act: () => void): void {
    this.#keep(setInterval(act, ms));
  }

  /** Calls back no more. */
  close(): void {
    for (const timer of this.#timers ?? []) clearTimeout(timer);
    this.#timers = undefined;
  }

  #keep(timer: NodeJS.Timeout): void {
    this.#timers ??= new Set();
    this.#timers.add(timer);
  }
}
