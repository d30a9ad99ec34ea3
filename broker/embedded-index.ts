import type { DatabaseSync } from "node:sqlite";
import { prepare } from "./embedded-database.ts";
import { lowerBound } from "./lower-bound.ts";

/**
 * How many changes wait in memory before they are written: more of them share a page then. When the database is opened,
 * up to about twice as many events are read.
 */
const SWEEP_AT = 65_536;

/** What the table does not say yet of a room. */
interface Waiting {
  /** Its newest events: everything from the first of them on. */
  readonly seqs: number[];
  /** Its events up to here are deleted. */
  floor: number;
}

/** Rooms whose changes are being written, in the order of the table. */
interface Sweep {
  readonly rooms: Float64Array;
  next: number;
  /** What the table says of all rooms once the sweep is over: see EventIndex's fields. */
  readonly indexed: number;
  readonly cleaned: number;
}

/**
 * Which events of the log are a room's, and up to where they were deleted. Those of one room lie far apart, and an entry
 * in the order of rooms would touch a page for each event, which is most of what storing it costs (bench/README.md,
 * rooms). So changes wait in memory, and are written many at a time, room by room: neighbours share a page. What was not
 * written when the process ends is read from the events again.
 *
 * Its methods are called inside the caller's transaction. A room is named by its row in `rooms`.
 */
export class EventIndex {
  readonly #queries: ReturnType<typeof prepareQueries>;
  readonly #sweepAt: number;
  readonly #waiting = new Map<number, Waiting>();
  #changes = 0;
  #sweep: Sweep | undefined;
  /** Every event up to here is in the table, unless deleted. */
  #indexed = 0;
  /** Every event up to here is deleted, and no longer in the table. */
  #cleaned = 0;
  /** Every event up to here is deleted. */
  #gone = 0;
  /** Events up to here were deleted before the database was opened, and some of them may still be in the table. */
  #stale = 0;
  /** The last event ever stored. */
  #end = 0;
  #isSaved = true;

  constructor(options: {
    readonly db: DatabaseSync;
    /** Default 65,536. */
    readonly sweepAt?: number | undefined;
  }) {
    this.#queries = prepareQueries(options.db);
    this.#sweepAt = options.sweepAt ?? SWEEP_AT;
  }

  /** Reads again what is kept in memory; `end` is the seq of the last event ever stored. */
  reload(end: number): void {
    this.#waiting.clear();
    this.#changes = 0;
    this.#sweep = undefined;
    this.#end = end;
    this.#isSaved = true;
    this.#indexed = this.#queries.load.get("indexed")?.value ?? 0;
    this.#cleaned = this.#queries.load.get("cleaned")?.value ?? 0;
    this.#gone = (this.#queries.first.get()?.seq ?? end + 1) - 1;
    this.#stale = this.#gone > this.#cleaned ? this.#gone : 0;
    for (const { room, seq } of this.#queries.unindexed.iterate(this.#indexed)) this.add(room, seq);
  }

  /** Writes what has to survive a restart; the last step of a transaction. */
  save(): void {
    if (this.#isSaved) return;
    this.#queries.save.run(this.#indexed, "indexed");
    this.#queries.save.run(this.#cleaned, "cleaned");
    this.#isSaved = true;
  }

  /** An event was stored: the last one of the log. */
  add(room: number, seq: number): void {
    this.#wait(room).seqs.push(seq);
    this.#changes++;
    this.#end = seq;
  }

  /** One event was deleted, whichever it is: that drops none before it. */
  remove(room: number, seq: number): void {
    const seqs = this.#waiting.get(room)?.seqs ?? [];
    const at = lowerBound(seqs, seq);
    if (seqs[at] === seq) {
      seqs.splice(at, 1);
      this.#changes--;
    }
    this.#queries.remove.run(room, seq);
  }

  /** All events of a room up to `floor` were deleted. */
  drop(room: number, floor: number): void {
    this.#raise(room, floor);
    this.#writeFloor(room);
  }

  /** All events of the log up to `last` were deleted; `floors` has the last one of each room. */
  dropOldest(floors: ReadonlyMap<number, number>, last: number): void {
    this.#gone = last;
    for (const [room, floor] of floors) {
      // Of what the table has, it says itself up to where it is gone, should the process end before it is written.
      if (this.#raise(room, floor)) this.#writeFloor(room);
    }
  }

  /** Greatest seq that `drop` was called with, 0 when it was not. */
  dropped(room: number): number {
    return this.#queries.floor.get(room)?.floor ?? 0;
  }

  /** Greatest seq up to which the room's events are deleted, or at most `hidden`; 0 when there is none. */
  floor(room: number, hidden: number): number {
    const { seqs, floor } = this.#waiting.get(room) ?? NOTHING;
    const upTo = Math.max(hidden, this.#stale);
    const last = lastUpTo(seqs, upTo) ?? this.#queries.last.get(room, 0, upTo)?.seq ?? 0;
    return Math.max(last, floor, this.dropped(room));
  }

  /** How many events of the room there are. */
  count(room: number): number {
    const { seqs } = this.#waiting.get(room) ?? NOTHING;
    return seqs.length + (this.#queries.count.get(room, ...this.#written(room))?.count ?? 0);
  }

  /** The room's last event up to a seq, 0 when there is none. */
  last(room: number, upTo = Number.MAX_SAFE_INTEGER): number {
    const { seqs } = this.#waiting.get(room) ?? NOTHING;
    const [above, end] = this.#written(room);
    return lastUpTo(seqs, upTo) ?? this.#queries.last.get(room, above, Math.min(end, upTo))?.seq ?? 0;
  }

  /** The room's oldest event but `skipped`; 0 when there are not so many. */
  nthOldest(room: number, skipped: number): number {
    const written = this.#written(room);
    const found = this.#queries.nth.get(room, ...written, skipped);
    if (found) return found.seq;
    const { seqs } = this.#waiting.get(room) ?? NOTHING;
    return seqs[skipped - (this.#queries.count.get(room, ...written)?.count ?? 0)] ?? 0;
  }

  /** The room's events after a seq, oldest first. */
  *after(room: number, after: number): Generator<number> {
    const [above, end] = this.#written(room);
    for (const { seq } of this.#queries.ascending.iterate(room, Math.max(above, after), end)) yield seq;
    const { seqs } = this.#waiting.get(room) ?? NOTHING;
    for (let at = lowerBound(seqs, after + 1); at < seqs.length; at++) yield seqs[at] ?? 0;
  }

  /** The room's events before a seq and after another one, newest first. */
  *before(room: number, before: number, after: number): Generator<number> {
    const { seqs } = this.#waiting.get(room) ?? NOTHING;
    for (let at = lowerBound(seqs, before) - 1; at >= 0; at--) {
      const seq = seqs[at] ?? 0;
      if (seq <= after) return;
      yield seq;
    }
    const [above, end] = this.#written(room);
    const rows = this.#queries.descending.iterate(room, Math.max(above, after), Math.min(end, before - 1));
    for (const { seq } of rows) yield seq;
  }

  /** Writes changes when there are many, about `budget` of them; returns how many it wrote. */
  settle(budget: number): number {
    if (this.#stale === 0 && !this.#sweep && this.#changes < this.#sweepAt) return 0;
    this.#sweep ??= this.#beginSweep();
    const { rooms, indexed } = this.#sweep;
    let left = budget;
    while (this.#sweep.next < rooms.length && left > 0) {
      const room = rooms[this.#sweep.next] ?? 0;
      const stale = this.#stale === 0 ? undefined : this.#queries.last.get(room, 0, this.#stale);
      if (stale?.seq) this.#raise(room, stale.seq);
      left -= 1 + this.#write(room, left);
      if ((this.#waiting.get(room)?.seqs[0] ?? Number.POSITIVE_INFINITY) > indexed) this.#sweep.next++;
    }
    if (this.#sweep.next === rooms.length) this.#endSweep(this.#sweep);
    return budget - left;
  }

  #beginSweep(): Sweep {
    const rooms = this.#stale === 0 ? this.#waiting.keys() : this.#queries.rooms.all().map(({ id }) => id);
    return { rooms: Float64Array.from(rooms).sort(), next: 0, indexed: this.#end, cleaned: this.#gone };
  }

  #endSweep({ indexed, cleaned }: Sweep): void {
    this.#sweep = undefined;
    this.#stale = 0;
    this.#indexed = indexed;
    this.#cleaned = cleaned;
    this.#isSaved = false;
  }

  #wait(room: number): Waiting {
    const known = this.#waiting.get(room);
    if (known) return known;
    const waiting = { seqs: [], floor: 0 };
    this.#waiting.set(room, waiting);
    this.#changes++;
    return waiting;
  }

  /** True when some of what is deleted was never in the table. */
  #raise(room: number, floor: number): boolean {
    const waiting = this.#wait(room);
    waiting.floor = Math.max(waiting.floor, floor);
    const dropped = waiting.seqs.splice(0, lowerBound(waiting.seqs, floor + 1)).length;
    this.#changes -= dropped;
    return dropped > 0;
  }

  /** Writes what waits of one room, `most` of its events at most; returns how many. */
  #write(room: number, most: number): number {
    const written = this.#waiting.get(room)?.seqs.splice(0, most) ?? [];
    for (const seq of written) this.#queries.insert.run(room, seq);
    this.#changes -= written.length;
    this.#writeFloor(room);
    return written.length;
  }

  #writeFloor(room: number): void {
    const waiting = this.#waiting.get(room);
    if (!waiting) return;
    if (waiting.floor > 0) {
      this.#queries.raiseFloor.run(waiting.floor, room);
      this.#queries.removeUpTo.run(room, waiting.floor);
      waiting.floor = 0;
    }
    if (waiting.seqs.length > 0) return;
    this.#waiting.delete(room);
    this.#changes--;
  }

  /** Where in the table those of the room's events are that are not deleted and do not wait: after the one, up to the other. */
  #written(room: number): [after: number, upTo: number] {
    const { seqs, floor } = this.#waiting.get(room) ?? NOTHING;
    return [Math.max(floor, this.#stale), (seqs[0] ?? Number.MAX_SAFE_INTEGER) - 1];
  }
}

const NOTHING: Waiting = { seqs: [], floor: 0 };

const lastUpTo = (seqs: readonly number[], upTo: number): number | undefined => seqs[lowerBound(seqs, upTo + 1) - 1];

function prepareQueries(db: DatabaseSync) {
  const range = "FROM room_events WHERE room = ? AND seq > ? AND seq <= ?";
  return {
    load: prepare<{ value: number }>(db, "SELECT value FROM meta WHERE name = ?"),
    save: prepare(db, "UPDATE meta SET value = ? WHERE name = ?"),
    first: prepare<{ seq: number }>(db, "SELECT seq FROM events ORDER BY seq LIMIT 1"),
    unindexed: prepare<{ seq: number; room: number }>(
      db,
      "SELECT seq, room FROM events JOIN rooms ON rooms.id = room WHERE seq > ? AND seq > floor ORDER BY seq",
    ),
    rooms: prepare<{ id: number }>(db, "SELECT id FROM rooms"),
    // What was written before the process was killed waits again.
    insert: prepare(db, "INSERT OR IGNORE INTO room_events (room, seq) VALUES (?, ?)"),
    remove: prepare(db, "DELETE FROM room_events WHERE room = ? AND seq = ?"),
    removeUpTo: prepare(db, "DELETE FROM room_events WHERE room = ? AND seq <= ?"),
    floor: prepare<{ floor: number }>(db, "SELECT floor FROM rooms WHERE id = ?"),
    raiseFloor: prepare(db, "UPDATE rooms SET floor = max(floor, ?) WHERE id = ?"),
    count: prepare<{ count: number }>(db, `SELECT count(*) AS count ${range}`),
    last: prepare<{ seq: number | null }>(db, `SELECT max(seq) AS seq ${range}`),
    nth: prepare<{ seq: number }>(db, `SELECT seq ${range} ORDER BY seq LIMIT 1 OFFSET ?`),
    ascending: prepare<{ seq: number }>(db, `SELECT seq ${range} ORDER BY seq`),
    descending: prepare<{ seq: number }>(db, `SELECT seq ${range} ORDER BY seq DESC`),
  };
}
