import type { DatabaseSync } from "node:sqlite";
import { prepare, type Query } from "./embedded-database.ts";
import type { Retention } from "./retention.ts";

/** What a stored event costs beside its body: row, index entry, and their pages' slack. */
export const ROW_BYTES = 64;

/** Bounds of how many events over maxMessages a room holds before they are deleted: an eighth of maxMessages between them. */
const MIN_SLACK = 16;
const MAX_SLACK = 1_000;

/** What is kept in memory of a room that has or had events. */
export interface RoomState {
  /** Its row in `rooms`. */
  readonly id: number;
  /** Seq of its last event as far as known, 0 when none. */
  head: number;
  /** How many of its events are stored. */
  count: number;
}

interface StoredRow {
  readonly seq: number;
  readonly room: number;
  readonly at: number;
  readonly size: number;
}

/**
 * Decides what of the log is shown, exactly, and deletes the rest, later and in bounded steps: deleting one event of a
 * busy room for each one stored would touch a page of another part of the file every time.
 */
export class EventRetention {
  readonly #limits: Retention;
  readonly #queries: ReturnType<typeof prepareQueries>;
  readonly #saveBytes: Query;
  readonly #loadBytes: Query<{ value: number }>;
  readonly #slack: number;
  readonly #rooms = new Map<number, RoomState>();
  readonly #crowded = new Set<RoomState>();
  #bytes = 0;
  #savedBytes = 0;
  /** Every event up to here is older than maxAgeMs … */
  #expired = 0;
  /** … and no event after it is older than this time. */
  #oldestAt = 0;
  /** Before this time nothing is too old: the log is looked at once it has come, and not for every write. */
  #dueAt = 0;

  constructor(options: { db: DatabaseSync; limits: Retention }) {
    this.#limits = options.limits;
    this.#slack = Math.min(MAX_SLACK, Math.max(MIN_SLACK, Math.floor(options.limits.maxMessages / 8)));
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
    this.#noteCount(room);
  }

  /** A room's count is kept no more. */
  untrack(room: RoomState): void {
    this.#rooms.delete(room.id);
    this.#crowded.delete(room);
  }

  untrackAll(): void {
    this.#rooms.clear();
    this.#crowded.clear();
  }

  /** An event was stored. */
  added(room: RoomState, bodyBytes: number): void {
    this.#bytes += bodyBytes + ROW_BYTES;
    room.count++;
    this.#noteCount(room);
  }

  /** Deletes an event because its author wants it: that is no retention, so the room's floor stays. */
  wipe(room: RoomState, seq: number): void {
    const row = this.#queries.findOne.get(seq, room.id);
    if (row) this.#delete(row);
  }

  /** Greatest seq of the room that is not shown, 0 when none. `end` is the log's end. */
  floor(room: RoomState, now: number, end: number): number {
    const expired = this.expiredSeq(now, end);
    const excess = room.count - this.#limits.maxMessages;
    // Counted from the oldest: there are few of them, while maxMessages may be a million.
    const crowdedOut = excess > 0 ? (this.#queries.nthOldest.get(room.id, excess - 1)?.seq ?? 0) : 0;
    const hidden = this.#queries.lastUpTo.get(room.id, Math.max(expired, crowdedOut))?.seq ?? 0;
    return Math.max(hidden, this.#queries.floor.get(room.id)?.floor ?? 0);
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
    let left = budget;
    left -= this.#drop(this.#superfluous(left, now));
    for (const room of this.#crowded) {
      if (left <= 0) break;
      const excess = room.count - this.#limits.maxMessages;
      left -= this.#drop(this.#queries.oldestOfRoom.all(room.id, Math.min(excess, left)));
      if (room.count <= this.#limits.maxMessages) this.#crowded.delete(room);
    }
    return budget - left;
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

  #drop(rows: readonly StoredRow[]): number {
    const floors = new Map<number, number>();
    for (const row of rows) {
      this.#delete(row);
      floors.set(row.room, row.seq);
    }
    for (const [room, seq] of floors) this.#queries.raiseFloor.run(seq, room);
    return rows.length;
  }

  #delete(row: StoredRow): void {
    this.#queries.delete.run(row.seq);
    this.#bytes -= row.size + ROW_BYTES;
    const room = this.#rooms.get(row.room);
    if (room) room.count--;
  }

  #noteCount(room: RoomState): void {
    if (room.count > this.#limits.maxMessages + this.#slack) this.#crowded.add(room);
  }
}

function prepareQueries(db: DatabaseSync) {
  const stored = "SELECT seq, room, at, length(body) AS size FROM events";
  return {
    findOne: prepare<StoredRow>(db, `${stored} WHERE seq = ? AND room = ?`),
    // Without a LIMIT: SQLite would compile the statement anew for each run, as the plan may depend on the number bound.
    oldest: prepare<StoredRow>(db, `${stored} ORDER BY seq`),
    oldestOfRoom: prepare<StoredRow>(db, `${stored} INDEXED BY events_by_room WHERE room = ? ORDER BY seq LIMIT ?`),
    firstAfter: prepare<{ seq: number; at: number }>(
      db,
      "SELECT seq, at FROM events WHERE seq > ? ORDER BY seq LIMIT 1",
    ),
    nthOldest: prepare<{ seq: number }>(
      db,
      "SELECT seq FROM events INDEXED BY events_by_room WHERE room = ? ORDER BY seq LIMIT 1 OFFSET ?",
    ),
    lastUpTo: prepare<{ seq: number | null }>(
      db,
      "SELECT max(seq) AS seq FROM events INDEXED BY events_by_room WHERE room = ? AND seq <= ?",
    ),
    floor: prepare<{ floor: number }>(db, "SELECT floor FROM rooms WHERE id = ?"),
    raiseFloor: prepare(db, "UPDATE rooms SET floor = max(floor, ?) WHERE id = ?"),
    delete: prepare(db, "DELETE FROM events WHERE seq = ?"),
  };
}
