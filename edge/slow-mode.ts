import { RoomError } from "../services/errors.ts";

/** Users remembered before those whose time is up are forgotten. */
const USERS = 1_000;

/** Keeps a room's users to one message per interval. Counted at each edge by itself: users rarely write through two. */
export class SlowMode {
  readonly #lastAt = new Map<string, number>();

  /** Publishes unless the user did so less than `intervalMs` ago. What was not stored does not count. @throws RoomError rate_limited. */
  pace(uid: string, intervalMs: number, publish: () => Promise<void>): Promise<void> {
    const now = performance.now();
    const retryAfterMs = (this.#lastAt.get(uid) ?? Number.NEGATIVE_INFINITY) + intervalMs - now;
    if (retryAfterMs > 0) {
      throw new RoomError("rate_limited", `slow mode: one message per ${intervalMs} ms`, { retryAfterMs });
    }
    if (this.#lastAt.size >= USERS) this.#forget(now - intervalMs);
    const published = publish();
    this.#lastAt.set(uid, now);
    return published.catch((error: unknown) => {
      this.#lastAt.delete(uid);
      throw error;
    });
  }

  #forget(before: number): void {
    for (const [uid, at] of this.#lastAt) if (at <= before) this.#lastAt.delete(uid);
  }
}
