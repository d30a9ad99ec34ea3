import { RoomError } from "./errors.ts";
import type { Uid } from "./ids.ts";

const MINUTE_MS = 60_000;
/** Users remembered before those whose minute is over are forgotten. */
const USERS = 10_000;

/** Keeps users to so many new conversations a minute, counted where it is asked. */
export class ConversationLimit {
  readonly #perMinute: number;
  readonly #now: () => number;
  readonly #begun = new Map<Uid, number[]>();

  /** `now` is a clock in milliseconds that never goes back. Default performance.now. */
  constructor(options: { perMinute: number; now?: () => number }) {
    this.#perMinute = options.perMinute;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Counts one more. @throws RoomError rate_limited with the time until one more is allowed. */
  take(uid: Uid): void {
    const now = this.#now();
    const begun = (this.#begun.get(uid) ?? []).filter((at) => at > now - MINUTE_MS);
    const [oldest] = begun;
    if (oldest !== undefined && begun.length >= this.#perMinute) {
      throw new RoomError("rate_limited", `at most ${this.#perMinute} new conversations a minute`, {
        retryAfterMs: oldest + MINUTE_MS - now,
      });
    }
    if (this.#begun.size >= USERS) this.#forget(now - MINUTE_MS);
    this.#begun.set(uid, [...begun, now]);
  }

  #forget(before: number): void {
    for (const [uid, begun] of this.#begun) if ((begun.at(-1) ?? 0) <= before) this.#begun.delete(uid);
  }
}
