import type { DatabaseSync } from "node:sqlite";
import { Crowds, type RoomState } from "./embedded-crowds.ts";
import { prepare, type Query } from "./embedded-database.ts";
import type { EventIndex } from "./embedded-index.ts";
import type { Retention } from "./retention.ts";

/** What a stored event costs beside its body: row, index entry, and their pages' slack. */
export const ROW_BYTES = 64;

interface StoredRow {
  readonly seq: number;
  readonly room: number;
  readonly at: number;
  readonly size: number;
}

/** Decides what of the log is shown, exactly, and has the rest deleted, later and in bounded steps. */
export class EventRetention {
  readonly #limits: Retention;
  readonly #index: EventIndex;
  readonly #queries: ReturnType<typeof prepareQueries>;
  readonly #saveBytes: Query;
  readonly #loadBytes: Query<{ value: number }>;
  readonly #crowds: Crowds;
  readonly #rooms = new Map<number, RoomState>();
  #bytes = 0;
  #savedBytes = 0;
  /** Every event up to here is older than maxAgeMs … */
  #expired = 0;
  /** … and no event after it is older than this time. */
  #oldestAt = 0;
  /** Before this time nothing is too old: the log is looked at once it has come, and not for every write. */
  #dueAt = 0;

  constructor(options: { db: DatabaseSync; limits: Retention; index: EventIndex }) {
    this.#limits = options.limits;
    this.#index = options.index;
    this.#crowds = new Crowds({
      db: options.db,
      index: options.index,
      limit: options.limits.maxMessages,
      onDeleted: (bodyBytes) => {
        this.#bytes -= bodyBytes + ROW_BYTES;
      },
    });
    this.#queries = prepareQueries(options.db);
    this.#saveBytes = prepare(options.db, "UPDATE meta SET value = ? WHERE name = 'bytes'");
    this.#loadBytes = prepare(options.db, "SELECT value FROM meta WHERE name = 'bytes'");
  }

  /** Reads again what is kept in memory. */
  reload(): void {
    this.#bytes = this.#loadBytes.get()?.value ?? 0;
    this.#savedBytes = this.#bytes;
    this.#expired = 0;
    this.#oldestAt = 0;
    this.#dueAt = 0;
  }

  /** Writes what has to survive a restart; the last step of a transaction. */
  save(): void {
    if (this.#bytes === this.#savedBytes) return;
    this.#saveBytes.run(this.#bytes);
    this.#savedBytes = this.#bytes;
  }

  /** Keeps a room's count right from now on. */
  track(room: RoomState): void {
    this.#rooms.set(room.id, room);
    this.#crowds.note(room);
  }

  /** A room's count is kept no more. */
  untrack(room: RoomState): void {
    this.#rooms.delete(room.id);
    this.#crowds.forget(room);
  }

  untrackAll(): void {
    this.#rooms.clear();
    this.#crowds.clear();
  }

  /** An event was stored. */
  added(room: RoomState, bodyBytes: number): void {
    this.#bytes += bodyBytes + ROW_BYTES;
    room.count++;
    this.#crowds.note(room);
  }

  /** Deletes an event because its author wants it: that is no retention, so the room's floor stays. */
  wipe(room: RoomState, seq: number): void {
    const deleted = this.#queries.deleteOne.get(seq, room.id);
    if (!deleted) return;
    this.#index.remove(room.id, seq);
    this.#forget(room, seq, deleted.size);
  }

  /** Greatest seq of the room that is not shown, 0 when none. `end` is the log's end. */
  floor(room: RoomState, now: number, end: number): number {
    const expired = this.expiredSeq(now, end);
    const excess = room.count - this.#limits.maxMessages;
    // Counted from the oldest: there are few of them, while maxMessages may be a million.
    const crowdedOut = excess > 0 ? this.#index.nthOldest(room.id, excess - 1) : 0;
    return this.#index.floor(room.id, Math.max(expired, crowdedOut));
  }

  /** Greatest seq of the log that is older than maxAgeMs, or any before which everything is. */
  expiredSeq(now: number, end: number): number {
    const cutoff = now - this.#limits.maxAgeMs;
    if (cutoff <= this.#oldestAt) return this.#expired;
    let low = this.#expired;
    let high = end;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const row = this.#queries.firstAfter.get(middle);
      if (row && row.at < cutoff) low = row.seq;
      else high = middle;
    }
    this.#expired = low;
    this.#oldestAt = this.#queries.firstAfter.get(low)?.at ?? now;
    return low;
  }

  /**
   * Deletes at most `budget` events that are not shown, raises the floors of their rooms, and returns how many it deleted.
   * Age and size take the oldest of the whole log.
   */
  trim(budget: number, now: number): number {
    const dropped = this.#dropOldest(this.#superfluous(budget, now));
    return dropped + this.#crowds.trim(budget - dropped);
  }

  /** The oldest events of the log, as many as are too old or too much. */
  #superfluous(budget: number, now: number): StoredRow[] {
    const { maxAgeMs, maxBytes } = this.#limits;
    const rows: StoredRow[] = [];
    let bytes = this.#bytes;
    if (bytes <= maxBytes && now <= this.#dueAt) return rows;
    for (const row of this.#queries.oldest.iterate()) {
      if (rows.length >= budget) break;
      if (bytes <= maxBytes && row.at >= now - maxAgeMs) {
        this.#dueAt = row.at + maxAgeMs;
        break;
      }
      bytes -= row.size + ROW_BYTES;
      rows.push(row);
    }
    return rows;
  }

  /** Deletes the first events of the log. */
  #dropOldest(rows: readonly StoredRow[]): number {
    const last = rows.at(-1);
    if (!last) return 0;
    this.#queries.deleteUpTo.run(last.seq);
    for (const { room, seq, size } of rows) this.#forget(this.#rooms.get(room), seq, size);
    this.#index.dropOldest(new Map(rows.map(({ room, seq }) => [room, seq])), last.seq);
    return rows.length;
  }

  /** An event was deleted. */
  #forget(room: RoomState | undefined, seq: number, bodyBytes: number): void {
    this.#bytes -= bodyBytes + ROW_BYTES;
    if (room && seq > room.dropped) room.count--;
  }
}

function prepareQueries(db: DatabaseSync) {
  return {
    // Without a LIMIT: SQLite would compile the statement anew for each run, as the plan may depend on the number bound.
    oldest: prepare<StoredRow>(db, "SELECT seq, room, at, length(body) AS size FROM events ORDER BY seq"),
    firstAfter: prepare<{ seq: number; at: number }>(
      db,
      "SELECT seq, at FROM events WHERE seq > ? ORDER BY seq LIMIT 1",
    ),
    deleteOne: prepare<{ size: number }>(
      db,
      "DELETE FROM events WHERE seq = ? AND room = ? RETURNING length(body) AS size",
    ),
    deleteUpTo: prepare(db, "DELETE FROM events WHERE seq <= ?"),
  };
}
