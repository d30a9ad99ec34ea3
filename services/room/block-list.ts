import type { Uid } from "../ids.ts";

/** The part of the fold that knows who takes no direct messages of whom. */
export class BlockList {
  readonly #blocked = new Map<Uid, Set<Uid>>();

  /** True when `uid` takes no messages of `other`. */
  has(uid: Uid, other: Uid): boolean {
    return this.#blocked.get(uid)?.has(other) ?? false;
  }

  /** How many a user has blocked. */
  count(uid: Uid): number {
    return this.#blocked.get(uid)?.size ?? 0;
  }

  put(uid: Uid, other: Uid, blocked: boolean): void {
    const others = this.#blocked.get(uid) ?? new Set();
    if (blocked) this.#blocked.set(uid, others.add(other));
    else if (others.delete(other) && others.size === 0) this.#blocked.delete(uid);
  }
}
