import type { Ack } from "./nats-publish.ts";

/** A message on its way into a stream. */
export interface Write {
  readonly lane: Lane;
  readonly payload: Uint8Array;
  /** By which the stream recognises a second attempt. */
  readonly id: string;
  readonly headers: Readonly<Record<string, string>> | undefined;
  /** When it is given up, by performance.now(). */
  readonly deadline: number;
  readonly resolve: (ack: Ack) => void;
  readonly reject: (error: unknown) => void;
  attempts: number;
  /** What it got, while an earlier one of its lane is not settled. */
  ack: Ack | undefined;
  settled: boolean;
}

/** Lanes of one sender, by subject. */
export type Lanes = Map<string, Lane>;

/**
 * Writes of one sender to one subject, stored and settled in the order they were asked for.
 *
 * Several may be under way at once. When one of them fails, none is tried again before all were answered: should a later
 * one turn out to be stored, another attempt would put the earlier one behind it, so nothing of the lane may be tried.
 */
export class Lane {
  readonly subject: string;
  readonly #home: Lanes | undefined;
  /** Taken out to be sent, in order. */
  readonly #unsettled: Write[] = [];
  readonly #waiting: Write[] = [];
  #unanswered = 0;
  #troubled = false;

  /** @param home where it is found as long as there is anything in it; undefined for a write that has no order. */
  constructor(subject: string, home: Lanes | undefined) {
    this.subject = subject;
    this.#home = home;
    home?.set(subject, this);
  }

  /** True from the first failed attempt on until `retry`: nothing may be sent. */
  get troubled(): boolean {
    return this.#troubled;
  }

  /** True when all attempts were answered after one of them failed. */
  get mayRetry(): boolean {
    return this.#troubled && this.#unanswered === 0;
  }

  /** The earliest write that was taken out and is not settled. */
  get first(): Write | undefined {
    return this.#unsettled[0];
  }

  /** Adds a write at the end. */
  add(write: Write): void {
    this.#waiting.push(write);
  }

  /** Takes out the next write to send, when there is one and fewer than `most` are unsettled. */
  next(most: number): Write | undefined {
    if (this.#troubled || this.#unsettled.length >= most) return undefined;
    const write = this.#waiting.shift();
    if (write) this.#unsettled.push(write);
    return write;
  }

  /** An attempt begins. */
  attempted(): void {
    this.#unanswered++;
  }

  /** An attempt ended, however it did. */
  answered(): void {
    this.#unanswered--;
  }

  /** An attempt was not acknowledged. */
  failed(): void {
    this.#troubled = true;
  }

  /** A write was acknowledged. Takes out what is settled by that, in order: nothing as long as an earlier one is not. */
  acknowledged(write: Write, ack: Ack): Write[] {
    write.ack = ack;
    return this.#takeAcknowledged();
  }

  /** Takes out a write that was refused for good. What is settled by that: those acknowledged behind it. */
  refused(write: Write): Write[] {
    this.#unsettled.splice(this.#unsettled.indexOf(write), 1);
    return this.#takeAcknowledged();
  }

  /** Ends the trouble. What to send again, in order; undefined when that would break the order. */
  retry(): readonly Write[] | undefined {
    this.#troubled = false;
    return this.#unsettled.some(({ ack }) => ack !== undefined) ? undefined : [...this.#unsettled];
  }

  /** Takes out everything, in order. */
  clear(): Write[] {
    this.#home?.delete(this.subject);
    return [...this.#unsettled.splice(0), ...this.#waiting.splice(0)];
  }

  #takeAcknowledged(): Write[] {
    const end = this.#unsettled.findIndex(({ ack }) => ack === undefined);
    const settled = this.#unsettled.splice(0, end < 0 ? this.#unsettled.length : end);
    if (this.#unsettled.length + this.#waiting.length === 0) this.#home?.delete(this.subject);
    return settled;
  }
}
