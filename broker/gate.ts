import { RoomError } from "../services/errors.ts";

/** Lets a bounded number of tasks run at a time, in the order they came, and a bounded number wait. */
export class Gate {
  readonly #most: number;
  readonly #mostWaiting: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** @param options.running tasks at a time. @param options.waiting tasks that wait; one more is refused. */
  constructor(options: { readonly running: number; readonly waiting: number }) {
    this.#most = options.running;
    this.#mostWaiting = options.waiting;
  }

  /** Runs a task when it is its turn. @throws RoomError unavailable when too many wait, and whatever the task throws. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#most) {
      if (this.#waiting.length >= this.#mostWaiting) throw new RoomError("unavailable", "too many reads wait");
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      // Whoever leaves hands its place over, so that nobody can come in between.
      await promise;
    } else {
      this.#running++;
    }
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}
