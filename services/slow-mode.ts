import { RoomError } from "./errors.ts";

/** Users remembered before those whose time is up are looked for. */
const USERS = 1_000;

interface Spoke {
  readonly at: number;
  readonly intervalMs: number;
}

/**
 * Keeps users to one message per interval. Counted by each process for itself, since users rarely write through two: a
 * user with connections to two edges may say twice as much.
 */
export class SlowMode {
  readonly #last = new Map<string, Spoke>();
  #forgetAt = USERS;

  /**
   * Publishes unless `who` did so less than `intervalMs` ago. What was not stored does not count.
   * @param who a user; where one instance serves several rooms, a user in a room.
   * @throws RoomError rate_limited.
   */
  pace<T>(who: string, intervalMs: number, publish: () => Promise<T>): Promise<T> {
    const now = performance.now();
    const retryAfterMs = (this.#last.get(who)?.at ?? Number.NEGATIVE_INFINITY) + intervalMs - now;
    if (retryAfterMs > 0) {
      throw new RoomError("rate_limited", `slow mode: one message per ${intervalMs} ms`, { retryAfterMs });
    }
    if (this.#last.size >= this.#forgetAt) this.#forget(now);
    const published = publish();
    const spoke: Spoke = { at: now, intervalMs };
    this.#last.set(who, spoke);
    return published.catch((error: unknown) => {
      if (this.#last.get(who) === spoke) this.#last.delete(who);
      throw error;
    });
  }

  /** Next time at twice of what is left, so that looking stays cheap per message in a room where many are waiting. */
  #forget(now: number): void {
    for (const [who, { at, intervalMs }] of this.#last) if (at + intervalMs <= now) this.#last.delete(who);
    this.#forgetAt = Math.max(USERS, 2 * this.#last.size);
  }
}
