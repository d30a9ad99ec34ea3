import type { DatabaseSync } from "node:sqlite";
import type { RoomId } from "../services/ids.ts";
import type { HistoryRange, RoomPosition } from "./broker.ts";
import type { RoomState } from "./embedded-crowds.ts";
import { prepare } from "./embedded-database.ts";
import type { DedupeWindow } from "./embedded-dedupe.ts";
import { EventIndex } from "./embedded-index.ts";
import type { EventAnswer, EventRow, EventWrite, HistoryRows, TailRow, TailRows } from "./embedded-protocol.ts";
import { EventRetention } from "./embedded-retention.ts";
import type { Retention } from "./retention.ts";

/** Most rooms whose state is kept in memory, at some 200 bytes; with more it is read again when needed. */
const MAX_ROOMS = 200_000;
const TAIL_ROWS = 500;
const TAIL_BYTES = 1024 * 1024;

/** The log: its table, the state of rooms, and what is shown of it. Writing methods run inside the caller's transaction. */
export class EventLog {
  readonly #dedupe: DedupeWindow;
  readonly #now: () => number;
  readonly #maxRooms: number;
  readonly #index: EventIndex;
  readonly #retention: EventRetention;
  readonly #queries: ReturnType<typeof prepareQueries>;
  readonly #rooms = new Map<RoomId, RoomState>();
  #end = 0;
  /** Time of the last event. Time never falls along the log, whatever the clock does: retention by age relies on it. */
  #at = 0;

  constructor(options: {
    db: DatabaseSync;
    retention: Retention;
    dedupe: DedupeWindow;
    /** Milliseconds since 1970. Default: Date.now. */
    now?: (() => number) | undefined;
    /** Default 200,000. */
    maxRooms?: number;
    /** See EventIndex. */
    sweepAt?: number;
  }) {
    this.#dedupe = options.dedupe;
    this.#now = options.now ?? Date.now;
    this.#maxRooms = options.maxRooms ?? MAX_ROOMS;
    this.#index = new EventIndex({ db: options.db, sweepAt: options.sweepAt });
    this.#retention = new EventRetention({ db: options.db, limits: options.retention, index: this.#index });
    this.#queries = prepareQueries(options.db);
    this.reload();
  }

  /** Reads again what is kept in memory: needed after a transaction was undone. */
  reload(): void {
    this.#end = this.#queries.end.get()?.seq ?? 0;
    this.#at = this.#queries.lastTime.get()?.at ?? 0;
    this.#rooms.clear();
    this.#retention.untrackAll();
    this.#retention.reload();
    this.#index.reload(this.#end);
  }

  /** Seq of the last event ever stored. */
  get end(): number {
    return this.#end;
  }

  /** Greatest seq before the first event that is stored and not too old. */
  start(): number {
    const expired = this.#retention.expiredSeq(this.#time(), this.#end);
    const first = this.#queries.first.get(expired)?.seq ?? this.#end + 1;
    return first - 1;
  }

  /** When an event was stored; undefined when it is not, or no longer. */
  storedAt(seq: number): number | undefined {
    return this.#queries.time.get(seq)?.at;
  }

  /** Stores an event, and wipes the one it deletes. */
  append(write: EventWrite): EventAnswer {
    const known = write.dedupeId === undefined ? undefined : this.#dedupe.find(write.dedupeId);
    if (known !== undefined) return { seq: known, prevSeq: 0, duplicate: true };
    const room = this.#loadRoom(write.room) ?? this.#createRoom(write.room);
    // First, so that a full log takes the deletion in the space it frees.
    if (write.deletedSeq > 0) this.#retention.wipe(room, write.deletedSeq);
    const seq = this.#end + 1;
    const prevSeq = room.head;
    this.#at = this.#time();
    this.#queries.insert.run(seq, room.id, this.#at, write.body);
    this.#index.add(room.id, seq);
    if (write.dedupeId !== undefined) this.#dedupe.remember(write.dedupeId, seq);
    this.#end = seq;
    room.head = seq;
    this.#retention.added(room, write.body.length);
    return { seq, prevSeq, duplicate: false };
  }

  /** Deletes what retention no longer shows; see EventRetention.trim. */
  trim(budget: number): number {
    return this.#retention.trim(budget, this.#time());
  }

  /** Writes what waits in memory; see EventIndex.settle. */
  settle(budget: number): number {
    return this.#index.settle(budget);
  }

  /** Ends a transaction's writes. */
  save(): void {
    this.#retention.save();
    this.#index.save();
  }

  position(room: RoomId): RoomPosition {
    return { seq: this.#end, floor: this.#floor(this.#loadRoom(room)) };
  }

  history(room: RoomId, range: HistoryRange): HistoryRows {
    const state = this.#loadRoom(room);
    const floor = this.#floor(state);
    const position = { seq: this.#end, floor };
    if (!state) return { ...position, rows: [], prevSeq: 0, hasMore: false };
    const forward = "after" in range;
    const seqs = forward
      ? this.#index.after(state.id, Math.max(range.after, floor))
      : this.#index.before(state.id, range.before ?? Number.MAX_SAFE_INTEGER, floor);
    const { rows, complete } = takeRows(this.#rowsAt(seqs), range.limit, range.maxBytes ?? Number.POSITIVE_INFINITY);
    if (!forward) rows.reverse();
    const previous = rows[0] ? this.#index.last(state.id, rows[0].seq - 1) : 0;
    return { ...position, rows, prevSeq: previous > floor ? previous : 0, hasMore: !complete };
  }

  /** Events of all rooms after a seq. */
  tail(after: number): TailRows {
    const found = this.#queries.tail.iterate(Math.max(after, this.#retention.expiredSeq(this.#time(), this.#end)));
    const { rows, complete } = takeRows(found, TAIL_ROWS, TAIL_BYTES);
    const heads = new Map<number, number>();
    const linked = rows.map(({ id, ...row }) => {
      const prevSeq = heads.get(id) ?? this.#index.last(id, row.seq - 1);
      heads.set(id, row.seq);
      return { ...row, prevSeq };
    });
    return { rows: linked, complete };
  }

  *#rowsAt(seqs: Iterable<number>): Generator<EventRow> {
    for (const seq of seqs) {
      const row = this.#queries.row.get(seq);
      if (row) yield row;
    }
  }

  #floor(room: RoomState | undefined): number {
    return room ? this.#retention.floor(room, this.#time(), this.#end) : 0;
  }

  #time(): number {
    return Math.max(this.#at, this.#now());
  }

  #loadRoom(name: RoomId): RoomState | undefined {
    const cached = this.#rooms.get(name);
    if (cached) return cached;
    const row = this.#queries.findRoom.get(name);
    if (!row) return undefined;
    const { id } = row;
    const head = this.#index.last(id);
    return this.#keepRoom(name, { id, head, count: this.#index.count(id), dropped: this.#index.dropped(id) });
  }

  #createRoom(name: RoomId): RoomState {
    const { lastInsertRowid } = this.#queries.createRoom.run(name);
    return this.#keepRoom(name, { id: Number(lastInsertRowid), head: 0, count: 0, dropped: 0 });
  }

  #keepRoom(name: RoomId, state: RoomState): RoomState {
    if (this.#rooms.size >= this.#maxRooms) this.#forgetHalf();
    this.#rooms.set(name, state);
    this.#retention.track(state);
    return state;
  }

  /** Every second one: where rooms take turns, the oldest are those that are needed next. */
  #forgetHalf(): void {
    let forget = true;
    for (const [name, state] of this.#rooms) {
      if (forget) {
        this.#rooms.delete(name);
        this.#retention.untrack(state);
      }
      forget = !forget;
    }
  }
}

/** Takes rows up to both bounds, one at least if there is any and `limit` allows it. */
function takeRows<Row extends EventRow>(found: Iterable<Row>, limit: number, maxBytes: number) {
  const rows: Row[] = [];
  let bytes = 0;
  for (const row of found) {
    bytes += row.body.length;
    if (rows.length >= limit || (rows.length > 0 && bytes > maxBytes)) return { rows, complete: false };
    rows.push(row);
  }
  return { rows, complete: true };
}

function prepareQueries(db: DatabaseSync) {
  return {
    end: prepare<{ seq: number }>(db, "SELECT seq FROM sqlite_sequence WHERE name = 'events'"),
    first: prepare<{ seq: number }>(db, "SELECT seq FROM events WHERE seq > ? ORDER BY seq LIMIT 1"),
    lastTime: prepare<{ at: number }>(db, "SELECT at FROM events ORDER BY seq DESC LIMIT 1"),
    time: prepare<{ at: number }>(db, "SELECT at FROM events WHERE seq = ?"),
    insert: prepare(db, "INSERT INTO events (seq, room, at, body) VALUES (?, ?, ?, ?)"),
    findRoom: prepare<{ id: number }>(db, "SELECT id FROM rooms WHERE name = ?"),
    createRoom: prepare(db, "INSERT INTO rooms (name) VALUES (?)"),
    row: prepare<EventRow>(db, "SELECT seq, body FROM events WHERE seq = ?"),
    tail: prepare<Omit<TailRow, "prevSeq"> & { readonly id: number }>(
      db,
      `SELECT e.seq, e.room AS id, r.name AS room, e.body
       FROM events e JOIN rooms r ON r.id = e.room WHERE e.seq > ? AND e.seq > r.floor ORDER BY e.seq`,
    ),
  };
}
