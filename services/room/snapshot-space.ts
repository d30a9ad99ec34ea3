import { RoomError } from "../errors.ts";
import type { RoomId } from "../ids.ts";
import { FIXED, type Limits } from "../limits.ts";
import type { SnapshotState } from "./snapshot-state.ts";

/** An event on its way into the log. */
interface Claim {
  readonly key: string;
  readonly bytes: number;
}

/**
 * How much snapshots hold. What is on its way into the log counts already. Each replica counts for itself, so that
 * several that are asked for new keys at the same moment may each let some in.
 */
export class SnapshotSpace {
  readonly #state: SnapshotState;
  readonly #limits: Pick<Limits, "maxSnapshotBytes">;
  readonly #claims = new Map<RoomId, Set<Claim>>();

  constructor(options: { state: SnapshotState; limits: Pick<Limits, "maxSnapshotBytes"> }) {
    this.#state = options.state;
    this.#limits = options.limits;
  }

  /** Takes space for an event until the returned function is called. @throws RoomError snapshot_full. */
  claim(room: RoomId, key: string, bytes: number): () => void {
    // What clears a key is never refused: it makes space.
    if (bytes > 0) this.#requireSpace(room, key, bytes);
    const claims = this.#claims.get(room) ?? new Set();
    this.#claims.set(room, claims);
    const claim = { key, bytes };
    claims.add(claim);
    return () => {
      claims.delete(claim);
      if (claims.size === 0 && this.#claims.get(room) === claims) this.#claims.delete(room);
    };
  }

  /** True while an event of this key is on its way into the log from here. */
  isClaimed(room: RoomId, key: string): boolean {
    for (const claim of this.#claims.get(room) ?? []) if (claim.key === key) return true;
    return false;
  }

  #requireSpace(room: RoomId, key: string, bytes: number): void {
    const sizes = new Map<string, number>();
    for (const entry of this.#state.entries(room)) if (entry.latest !== undefined) sizes.set(entry.key, entry.bytes);
    for (const claim of this.#claims.get(room) ?? []) {
      if (claim.bytes > 0) sizes.set(claim.key, Math.max(claim.bytes, sizes.get(claim.key) ?? 0));
    }
    const before = sizes.get(key) ?? 0;
    sizes.set(key, bytes);
    if (sizes.size > FIXED.snapshotKeys) throw full(`a room's snapshot has at most ${FIXED.snapshotKeys} keys`);
    const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    if (total > FIXED.snapshotBytes) throw full(`a room's snapshot has at most ${FIXED.snapshotBytes} bytes`);
    if (bytes > before && this.#state.bytes + bytes - before > this.#limits.maxSnapshotBytes) {
      throw full("the snapshots of all rooms together are full");
    }
  }
}

function full(message: string): RoomError {
  return new RoomError("snapshot_full", message, { metadata: { field: "snapshot_key" } });
}
