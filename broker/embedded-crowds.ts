import type { DatabaseSync } from "node:sqlite";
import { prepare, type Query } from "./embedded-database.ts";
import type { EventIndex } from "./embedded-index.ts";

/** Bounds of how many events over its limit a room holds before they are deleted: an eighth of the limit between them. */
const MIN_SLACK = 16;
const MAX_SLACK = 1_000;
/** Most events that are taken out of the index and not deleted yet. */
const MAX_DOOMED = 16_384;

/** What is kept in memory of a room that has or had events. */
export interface RoomState {
  /** Its row in `rooms`. */
  readonly id: number;
  /** Seq of its last event as far as known, 0 when none. */
  head: number;
  /** How many of its events are stored, but for those up to `dropped`. */
  count: number;
  /** Greatest seq that is out of the index, deleted or about to be; 0 when there is none. */
  dropped: number;
}

/**
 * Deletes the oldest events of rooms that hold more than is shown. One for each that is stored would touch a page in
 * another part of the file every time, so it is done for all such rooms when one has become too large: their oldest
 * events are taken out of the index, with the floor that hides them, and then deleted in the order of the log, in which
 * they are neighbours. What a killed process left of them is deleted by its age, or with the log's oldest.
 */
export class Crowds {
  readonly #index: EventIndex;
  readonly #limit: number;
  readonly #slack: number;
  readonly #onDeleted: (bodyBytes: number) => void;
  readonly #delete: Query<{ size: number }>;
  readonly #crowded = new Set<RoomState>();
  #gathering = false;
  /** Seqs that are deleted from `#next` on, in their order once gathering is over. */
  #doomed: number[] = [];
  #next = 0;

  constructor(options: {
    readonly db: DatabaseSync;
    readonly index: EventIndex;
    /** How many of a room's events are shown. */
    readonly limit: number;
    /** Hears of each event that is deleted. */
    readonly onDeleted: (bodyBytes: number) => void;
  }) {
    this.#index = options.index;
    this.#limit = options.limit;
    this.#onDeleted = options.onDeleted;
    this.#slack = Math.min(MAX_SLACK, Math.max(MIN_SLACK, Math.floor(options.limit / 8)));
    this.#delete = prepare(options.db, "DELETE FROM events WHERE seq >= ? AND seq <= ? RETURNING length(body) AS size");
  }

  /** A room's count was learnt, or grew. */
  note(room: RoomState): void {
    if (room.count <= this.#limit) return;
    this.#crowded.add(room);
    this.#gathering ||= room.count > this.#limit + this.#slack && this.#doomed.length === 0;
  }

  /** A room's count is known no more. */
  forget(room: RoomState): void {
    this.#crowded.delete(room);
  }

  /** Forgets everything. */
  clear(): void {
    this.#crowded.clear();
    this.#gathering = false;
    this.#doomed = [];
    this.#next = 0;
  }

  /** Takes out of the index and deletes about `budget` events; returns how many. */
  trim(budget: number): number {
    const gathered = this.#gathering ? this.#gather(budget) : 0;
    return this.#gathering ? gathered : gathered + this.#deleteDoomed(budget - gathered);
  }

  #gather(budget: number): number {
    let left = budget;
    for (const room of this.#crowded) {
      const most = Math.min(left, MAX_DOOMED - this.#doomed.length);
      if (most <= 0) break;
      const excess = room.count - this.#limit;
      if (excess <= most) this.#crowded.delete(room);
      if (excess > 0) left -= 1 + this.#doom(room, Math.min(excess, most));
    }
    if (this.#crowded.size > 0 && this.#doomed.length < MAX_DOOMED) return budget;
    this.#gathering = false;
    this.#doomed.sort((a, b) => a - b);
    return Math.min(budget, budget - left);
  }

  #doom(room: RoomState, count: number): number {
    const before = this.#doomed.length;
    for (const seq of this.#index.after(room.id, 0)) {
      if (this.#doomed.length - before === count) break;
      this.#doomed.push(seq);
      room.dropped = seq;
    }
    this.#index.drop(room.id, room.dropped);
    const taken = this.#doomed.length - before;
    room.count -= taken;
    return taken;
  }

  #deleteDoomed(budget: number): number {
    let left = budget;
    while (left > 0 && this.#next < this.#doomed.length) {
      const first = this.#next;
      const end = Math.min(this.#doomed.length, first + left);
      do this.#next++;
      while (this.#next < end && this.#seq(this.#next) === this.#seq(this.#next - 1) + 1);
      left -= this.#next - first;
      const deleted = this.#delete.iterate(this.#seq(first), this.#seq(this.#next - 1));
      for (const { size } of deleted) this.#onDeleted(size);
    }
    if (left < budget && this.#next === this.#doomed.length) this.#rest();
    return budget - left;
  }

  /** Until a room has become too large again. */
  #rest(): void {
    this.#doomed = [];
    this.#next = 0;
    for (const room of this.#crowded) this.note(room);
  }

  #seq(at: number): number {
    return this.#doomed[at] ?? 0;
  }
}
