import type { Logger } from "../services/log.ts";
import type { JetStreamApi } from "./nats-api.ts";

/** Where it is remembered how many events trimming left in a room, at the least. */
export interface TrimRecord {
  /** The number, undefined when nothing was ever trimmed. */
  read(): Promise<number | undefined>;
  write(events: number): Promise<void>;
}

const TICK_MS = 50;
/** Deletions per tick, so 1,000 a second: a few percent of what a stream can do. */
const PER_TICK = 50;
const MAX_WAITING = 100_000;

/**
 * Deletes what no room shows any more, so that one busy room does not push the others' history out of the log. Event by
 * event, as a purge with `keep` stops the stream while it looks through all of it: 0.3 s for 600,000 messages, measured.
 *
 * Before the first deletion it records how many events it leaves. Without that record, someone who shows more could not
 * tell a trimmed room from one that never had more.
 */
export class Trimmer {
  readonly #api: JetStreamApi;
  readonly #stream: string;
  readonly #log: Logger;
  readonly #keeps: number;
  readonly #record: TrimRecord;
  readonly #waiting: number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #recorded = false;
  #busy = false;
  #stopped = false;

  /** @param options.keeps how many events every trimmed room shows, and one more stays. */
  constructor(options: {
    readonly api: JetStreamApi;
    readonly stream: string;
    readonly log: Logger;
    readonly keeps: number;
    readonly record: TrimRecord;
  }) {
    this.#api = options.api;
    this.#stream = options.stream;
    this.#log = options.log;
    this.#keeps = options.keeps;
    this.#record = options.record;
  }

  /** Has events deleted some time. What does not fit stays until it is too old, or until after the next start. */
  trim(seqs: readonly number[]): void {
    if (this.#stopped) return;
    this.#waiting.push(...seqs.slice(0, MAX_WAITING - this.#waiting.length));
    this.#timer ??= setInterval(() => void this.#tick(), TICK_MS);
  }

  /** Forgets what waits. Idempotent. */
  stop(): void {
    this.#stopped = true;
    this.#waiting.length = 0;
    clearInterval(this.#timer);
  }

  async #tick(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    const batch = this.#waiting.splice(0, PER_TICK);
    try {
      await this.#recordOnce();
      await Promise.all(batch.map((seq) => this.#api.deleteMessage(this.#stream, seq, false)));
    } catch (error) {
      // What was deleted of the batch is deleted again, to no effect.
      this.#log.debug({ err: error }, "trimming waits for the broker");
      if (!this.#stopped) this.#waiting.unshift(...batch);
    }
    this.#busy = false;
    if (this.#waiting.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #recordOnce(): Promise<void> {
    if (this.#recorded) return;
    const recorded = await this.#record.read();
    if (recorded === undefined || recorded > this.#keeps) await this.#record.write(this.#keeps);
    this.#recorded = true;
  }
}
