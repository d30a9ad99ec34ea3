/**
 * Lets identical reads that arrive at once share one. A caller never gets a read that began before it asked, since that
 * could miss what was stored in between: while one is under way, later callers share the next.
 */
export class SharedReads<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /** Settles as `load` does; `load` must mean the same for the same key. */
  read(key: string, load: () => Promise<T>): Promise<T> {
    const flight = this.#flights.get(key);
    if (flight === undefined) return this.#start(key, load);
    flight.next ??= flight.current.then(
      () => this.#start(key, load),
      () => this.#start(key, load),
    );
    return flight.next;
  }

  #start(key: string, load: () => Promise<T>): Promise<T> {
    const flight: Flight<T> = { current: load(), next: undefined };
    this.#flights.set(key, flight);
    const done = (): void => {
      if (flight.next === undefined) this.#flights.delete(key);
    };
    flight.current.then(done, done);
    return flight.current;
  }
}

interface Flight<T> {
  readonly current: Promise<T>;
  next: Promise<T> | undefined;
}
