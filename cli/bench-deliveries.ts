import { setTimeout as sleep } from "node:timers/promises";

/** Deliveries whose latency is kept: enough for quantiles, however many there are. */
const SAMPLES = 1_000_000;
const POLL_MS = 20;

/** Which message reached which client, and how late. */
export class Deliveries {
  /** Milliseconds from a publish until a client had it. */
  readonly latencies: number[] = [];
  readonly #run = crypto.randomUUID();
  readonly #messages: number;
  readonly #clients: number;
  /** One bit for each client and message. */
  readonly #seen: Uint8Array;
  readonly #published: Float64Array;
  #count = 0;
  #duplicated = 0;
  #began = 0;
  #last = 0;

  constructor(clients: number, messages: number) {
    this.#clients = clients;
    this.#messages = messages;
    this.#seen = new Uint8Array(Math.ceil((clients * messages) / 8));
    this.#published = new Float64Array(messages);
  }

  /** Different deliveries so far. */
  get count(): number {
    return this.#count;
  }

  /** Deliveries that were none the first time. */
  get duplicated(): number {
    return this.#duplicated;
  }

  /** From begin to the last delivery, in seconds. */
  get seconds(): number {
    return (Math.max(this.#last, this.#began) - this.#began) / 1_000;
  }

  /** Starts the clock. */
  begin(): void {
    this.#began = performance.now();
    this.#last = this.#began;
  }

  /** The text of a message that is published now. */
  publish(number: number, size: number): string {
    this.#published[number] = performance.now();
    return `${this.#run} ${number} `.padEnd(size, "x").slice(0, Math.max(size, this.#run.length + 12));
  }

  /** When a message was published, by performance.now(). */
  publishedAt(number: number): number {
    return this.#published[number] ?? 0;
  }

  /** Says that a client has a message; others' messages are ignored. */
  received(client: number, text: string): void {
    const [run, digits] = text.split(" ", 2);
    const number = Number(digits);
    if (run !== this.#run || !(number < this.#messages)) return;
    const bit = client * this.#messages + number;
    const mask = 1 << (bit & 7);
    const byte = this.#seen[bit >> 3] ?? 0;
    if ((byte & mask) !== 0) {
      this.#duplicated += 1;
      return;
    }
    this.#seen[bit >> 3] = byte | mask;
    this.#count += 1;
    this.#last = performance.now();
    if (this.latencies.length < SAMPLES) this.latencies.push(this.#last - this.publishedAt(number));
  }

  /** Waits until every client has `stored` messages, or nothing has come for `quietMs`, or the signal aborts. */
  async complete(stored: number, quietMs: number, signal: AbortSignal): Promise<void> {
    const from = performance.now();
    const quiet = (): boolean => performance.now() - Math.max(this.#last, from) > quietMs;
    while (this.#count < stored * this.#clients && !quiet() && !signal.aborted) await sleep(POLL_MS);
  }
}
