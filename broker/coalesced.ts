/**
 * Shares reads among callers that ask at the same time. A caller never gets an answer that was under way before it
 * asked: it must reflect everything acknowledged before the call. So there are at most two, one running, one waiting.
 */
export class Coalesced<T> {
  readonly #read: () => Promise<T>;
  #running: Promise<T> | undefined;
  #waiting: Promise<T> | undefined;

  constructor(read: () => Promise<T>) {
    this.#read = read;
  }

  /** Reads, beginning after this call. Rejects as the read does. */
  run(): Promise<T> {
    if (this.#running === undefined) return this.#start();
    this.#waiting ??= this.#running.then(
      () => this.#start(),
      () => this.#start(),
    );
    return this.#waiting;
  }

  #start(): Promise<T> {
    this.#waiting = undefined;
    const running = this.#read().finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    return running;
  }
}
