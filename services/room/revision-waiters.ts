/** Someone who waits for a place of the control log. */
export interface RevisionWaiter {
  readonly revision: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Those who wait until the fold has come to a place of the control log, in the order of that place. */
export class RevisionWaiters {
  #waiters: RevisionWaiter[] = [];
  #first = 0;

  add(waiter: RevisionWaiter): void {
    let at = this.#waiters.length;
    // Writers hear of their revisions nearly in order, so that the place is near the end.
    while (at > this.#first && (this.#waiters[at - 1]?.revision ?? 0) > waiter.revision) at--;
    this.#waiters.splice(at, 0, waiter);
  }

  /** Resolves everyone who waits for this revision or an earlier one. */
  advance(revision: number): void {
    for (let waiter = this.#waiters[this.#first]; waiter !== undefined; waiter = this.#waiters[this.#first]) {
      if (waiter.revision > revision) break;
      this.#first++;
      waiter.resolve();
    }
    if (this.#first < COMPACT && this.#first < this.#waiters.length) return;
    this.#waiters = this.#waiters.slice(this.#first);
    this.#first = 0;
  }

  /** Ends every wait. */
  fail(error: Error): void {
    for (const waiter of this.#waiters.slice(this.#first)) waiter.reject(error);
    this.#waiters = [];
    this.#first = 0;
  }
}

/** Resolved waiters are dropped this many at a time, as dropping one moves all others. */
const COMPACT = 1_024;
