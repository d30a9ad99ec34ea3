import type { Logger } from "../services/log.ts";
import type { JetStreamApi } from "./nats-api.ts";

/** Header of a deletion: the seq of what it deletes, so that the log can be folded without its bodies. */
export const DELETES_HEADER = "Baccarat-Deletes";

/** Whoever published a deletion wipes by itself; only what is still there after this was left undone. */
const REDO_MS = 5_000;
const MAX_WAITING = 10_000;

/** Wipes the bodies of deleted events, and finishes what others left undone. */
export class Wiper {
  readonly #api: JetStreamApi;
  readonly #stream: string;
  readonly #log: Logger;
  readonly #waiting = new Map<number, { readonly subject: string; readonly due: number }>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: { readonly api: JetStreamApi; readonly stream: string; readonly log: Logger }) {
    this.#api = options.api;
    this.#stream = options.stream;
    this.#log = options.log;
  }

  /**
   * Wipes an event, if it is on this subject: nobody deletes another room's messages. Idempotent.
   * @throws RoomError unavailable.
   */
  async wipe(subject: string, seq: number): Promise<void> {
    const message = await this.#api.message(this.#stream, { seq });
    if (message === undefined) return;
    if (message.subject === subject) await this.#api.deleteMessage(this.#stream, seq, true);
    else this.#log.warn({ seq }, "a deletion names an event of another room");
  }

  /** Looks later whether an event was wiped, and wipes it if not. What does not fit is done after the next start. */
  redo(subject: string, seq: number): void {
    if (this.#stopped || this.#waiting.size >= MAX_WAITING) return;
    this.#waiting.set(seq, { subject, due: performance.now() + REDO_MS });
    this.#schedule(REDO_MS);
  }

  /** Forgets what waits. Idempotent. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#waiting.clear();
  }

  #schedule(ms: number): void {
    if (this.#stopped) return;
    this.#timer ??= setTimeout(() => void this.#redoDue(), ms);
  }

  async #redoDue(): Promise<void> {
    const now = performance.now();
    for (const [seq, { subject, due }] of this.#waiting) {
      if (due > now || this.#stopped) break;
      try {
        await this.wipe(subject, seq);
        this.#waiting.delete(seq);
      } catch (error) {
        this.#log.warn({ err: error, seq }, "a deleted event could not be wiped yet");
        break;
      }
    }
    this.#timer = undefined;
    if (this.#waiting.size > 0) this.#schedule(REDO_MS);
  }
}
