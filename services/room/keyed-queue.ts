/** Runs tasks of one key one after the other, in the order of the calls, and tasks of different keys side by side. */
export class KeyedQueue {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** How many keys have a task running or waiting. */
  get size(): number {
    return this.#tails.size;
  }

  /** Settles as the task does; a task that fails does not keep the next one from running. */
  run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const previous = this.#tails.get(key);
    const result = previous === undefined ? task() : previous.then(task);
    // The caller hears the outcome; here it only matters that it is over.
    const over = (): void => void (this.#tails.get(key) === tail && this.#tails.delete(key));
    const tail: Promise<void> = result.then(over, over);
    this.#tails.set(key, tail);
    return result;
  }

  /** Resolves when everything that was queued before the call has settled. */
  async settled(): Promise<void> {
    await Promise.all(this.#tails.values());
  }
}
