import type { Event } from "../../gen/baccarat/v1/event_pb.ts";

/** How much may wait for one watcher. */
export interface WatchQueueLimits {
  readonly events: number;
  readonly bytes: number;
}

/** An event that waits, and at least how many bytes it has. */
export interface WaitingEvent {
  readonly seq: number;
  readonly event: Event;
  readonly bytes: number;
}

/** What waits to be sent to one watcher, bounded: once it was too much, nothing is kept or taken in any more. */
export class WatchQueue {
  readonly #limits: WatchQueueLimits;
  #waiting: WaitingEvent[] = [];
  #bytes = 0;
  #after = 0;
  #overflowed = false;
  #end: { readonly error: Error | undefined } | undefined;
  #wake = Promise.withResolvers<void>();

  constructor(limits: WatchQueueLimits) {
    this.#limits = limits;
  }

  /** True once too much waited. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  /** True when nothing waits. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** True when nobody will take anything any more. */
  get ended(): boolean {
    return this.#end !== undefined;
  }

  /** Drops what waits up to a seq, and from now on everything up to there. */
  skipTo(seq: number): void {
    this.#after = seq;
    this.#waiting = this.#waiting.filter((item) => item.seq > seq);
    this.#bytes = this.#waiting.reduce((bytes, item) => bytes + item.bytes, 0);
  }

  /** Adds an event; false for the one that was too much, and true for what is left out then. */
  push(item: WaitingEvent): boolean {
    if (item.seq <= this.#after || this.#overflowed || this.ended) return true;
    this.#waiting.push(item);
    this.#bytes += item.bytes;
    if (this.#waiting.length > this.#limits.events || this.#bytes > this.#limits.bytes) {
      this.#overflowed = true;
      this.#clear();
    }
    this.#wake.resolve();
    return !this.#overflowed;
  }

  /** Ends it; what waits is dropped. Idempotent. */
  end(error?: Error): void {
    this.#end ??= { error };
    this.#clear();
    this.#wake.resolve();
  }

  /** What waits, up to both bounds but one event at least, in order. @throws what the queue was ended with. */
  take(limits: WatchQueueLimits): readonly WaitingEvent[] {
    if (this.#end?.error !== undefined) throw this.#end.error;
    let bytes = 0;
    let count = 0;
    for (const item of this.#waiting) {
      if (count === limits.events || (count > 0 && bytes + item.bytes > limits.bytes)) break;
      bytes += item.bytes;
      count++;
    }
    this.#bytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  /** Resolves when there is something new to know, or after `ms`. */
  async wait(ms: number): Promise<void> {
    if (this.#waiting.length > 0 || this.#overflowed || this.ended) return;
    this.#wake = Promise.withResolvers();
    const timer = setTimeout(this.#wake.resolve, ms);
    await this.#wake.promise;
    clearTimeout(timer);
  }

  #clear(): void {
    this.#waiting = [];
    this.#bytes = 0;
  }
}
