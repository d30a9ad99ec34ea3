/** Events by name, typed; and the same events as async iterators. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  /** Calls `listener` for every event of the type; returns what ends it. A listener that throws is reported by the host like any uncaught error and stops nobody else. */
  on<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): () => void {
    const set = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, set);
    set.add(listener);
    return () => set.delete(listener);
  }

  /**
   * Events of the type from now on, as an async iterator. It keeps at most `limit` events (default 10,000) that the loop
   * has not taken yet; one more ends it with an error, since skipping one would be a silent hole.
   */
  async *iterate<Type extends keyof Events>(type: Type, limit = 10_000): AsyncGenerator<Events[Type], void, undefined> {
    const queue: Events[Type][] = [];
    let wake = (): void => undefined;
    const off = this.on(type, (event) => {
      queue.push(event);
      wake();
    });
    try {
      for (;;) {
        if (queue.length > limit) throw new RangeError(`more than ${limit} events wait to be taken`);
        if (queue.length > 0) yield queue.shift() as Events[Type];
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      off();
    }
  }

  protected emit<Type extends keyof Events>(type: Type, event: Events[Type]): void {
    for (const listener of this.#listeners.get(type) ?? []) {
      try {
        (listener as (event: Events[Type]) => void)(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
