import { lowerBound } from "./lower-bound.ts";

/** Rooms without any event left whose floors are remembered; beyond that the whole log's floor has to do. */
const MAX_EMPTY_ROOMS = 100_000;
/** Gaps, and deletions that may explain them, that are remembered from one settling to the next. */
const MAX_GAPS = 10_000;
const MAX_EXPLANATIONS = 100_000;

interface RoomLog {
  /** Seqs of its stored events, ascending; with more than what is shown the oldest are forgotten. */
  readonly seqs: number[];
  /** Greatest seq that was dropped or forgotten. */
  floor: number;
  /** True when nothing older than `seqs` can be in the log. */
  complete: boolean;
}

interface Gap {
  readonly from: number;
  to: number;
  /** When it was found, counted in gaps. */
  number: number;
}

/** What is shown of a room. */
export interface RoomWindow {
  readonly seqs: readonly number[];
  /** As in RoomPosition. */
  readonly floor: number;
}

/**
 * Which seqs each room has, folded from the log: JetStream finds "the room's events before this one" only by walking
 * over all others. Rooms go by their subjects.
 *
 * Events leave in two ways that must not be mixed up: deleted by somebody, which is no loss, and dropped by retention,
 * which raises floors. What was gone before it could be added is a gap in the seqs: retention takes from the log's
 * beginning only, so a gap there means dropped events of unknown rooms, unless the log's own deletions explain it.
 */
export class RoomIndex {
  readonly #maxMessages: number;
  readonly #slack: number;
  readonly #onForgotten: (seqs: readonly number[]) => void;
  readonly #rooms = new Map<string, RoomLog>();
  #gaps: Gap[] = [];
  #gapsFound = 0;
  readonly #explained = new Set<number>();
  /** Up to here events of any room may have been dropped. */
  #base = 0;
  /** No event before this exists. */
  #first = 1;
  /** Every event from here on was added … */
  #from = 1;
  /** … up to here. */
  #last = 0;
  #trimmedTo = Number.POSITIVE_INFINITY;

  /** @param options.onForgotten hears seqs that nobody will be shown any more, of a room with at least one more event. */
  constructor(options: { readonly maxMessages: number; readonly onForgotten?: (seqs: readonly number[]) => void }) {
    this.#maxMessages = options.maxMessages;
    this.#slack = Math.max(16, Math.floor(options.maxMessages / 4));
    this.#onForgotten = options.onForgotten ?? (() => undefined);
  }

  /** Begins with a log whose oldest event is `first`, of which events from `from` on will be added. */
  begin(first: number, from: number): void {
    this.#first = first;
    this.#from = from;
    this.#last = from - 1;
    if (first > 1) this.#gaps.push({ from: 1, to: first - 1, number: ++this.#gapsFound });
  }

  /** Adds an event; seqs only grow. */
  add(subject: string, seq: number): void {
    if (seq <= this.#last) return;
    this.#noteGap(seq);
    this.#last = seq;
    const room = this.#room(subject);
    room.seqs.push(seq);
    if (room.seqs.length > this.#maxMessages + this.#slack) this.#forgetOldest(room);
  }

  /** Notes that an event was deleted by somebody. Returns true when the event was there. */
  delete(subject: string, seq: number): boolean {
    const seqs = this.#rooms.get(subject)?.seqs;
    const index = seqs === undefined ? -1 : lowerBound(seqs, seq);
    if (seqs?.[index] === seq) {
      seqs.splice(index, 1);
      return true;
    }
    const mayExplain = seq <= this.#last && this.#gaps.length > 0;
    if (mayExplain && this.#explained.size < MAX_EXPLANATIONS) this.#explained.add(seq);
    return false;
  }

  /** A moment, for settle. */
  mark(): number {
    return this.#gapsFound;
  }

  /**
   * Notes that no event before `first` exists any more, as somebody asked after the moment `mark` was told. To be called
   * with every event added that was in the log when it was told: only then are all deletions known that may have moved
   * its beginning.
   */
  settle(first: number, mark: number = this.#gapsFound): void {
    this.#noteGap(first);
    this.#last = Math.max(this.#last, first - 1);
    // What was never added may have been of any room.
    if (first > this.#first && this.#first < this.#from) this.#raiseBase(Math.min(first, this.#from) - 1);
    this.#first = Math.max(this.#first, first);
    for (const gap of this.#gaps) {
      let dropped = Math.min(gap.to, this.#first - 1);
      while (dropped >= gap.from && this.#explained.has(dropped)) dropped--;
      if (dropped >= gap.from) this.#raiseBase(dropped);
    }
    // A gap found later may be of events that were still there at that moment, and were dropped since.
    this.#gaps = this.#gaps.filter((gap) => gap.number > mark);
    if (this.#gaps.length === 0) this.#explained.clear();
  }

  /** Notes that rooms were trimmed so that never fewer than this many events beyond the trimmed ones were left. */
  trimmedTo(events: number): void {
    this.#trimmedTo = Math.min(this.#trimmedTo, events);
  }

  /** True unless older events of the room may be in the log that are needed to say what is shown. */
  isComplete(subject: string): boolean {
    if (this.#from <= this.#first) return true;
    const room = this.#rooms.get(subject);
    return room !== undefined && (room.complete || room.seqs.length > this.#maxMessages);
  }

  /** Adds a room's events that are older than those added so far; there are no others. */
  fill(subject: string, older: readonly number[]): void {
    const room = this.#room(subject);
    const oldest = room.seqs[0] ?? Number.POSITIVE_INFINITY;
    room.seqs.unshift(...older.filter((seq) => seq < oldest));
    room.complete = true;
    this.#forgetOldest(room);
  }

  /** What is shown of a room now. */
  window(subject: string): RoomWindow {
    const room = this.#rooms.get(subject);
    if (room === undefined) return { seqs: [], floor: this.#base };
    this.#expire(room);
    const { seqs } = room;
    const floor = Math.max(room.floor, this.#base);
    // A trimmed room still has one event more than was kept: where nothing is beyond it, nothing was trimmed.
    if (seqs.length <= Math.min(this.#maxMessages, this.#trimmedTo)) return { seqs, floor };
    const cut = Math.max(0, seqs.length - this.#maxMessages - 1);
    return { seqs: seqs.slice(cut + 1), floor: Math.max(floor, seqs[cut] ?? 0) };
  }

  /** Forgets rooms without events once they are many. */
  sweep(): void {
    const empty: string[] = [];
    for (const [subject, room] of this.#rooms) {
      this.#expire(room);
      if (room.seqs.length === 0) empty.push(subject);
    }
    if (empty.length <= MAX_EMPTY_ROOMS) return;
    this.#raiseBase(this.#first - 1);
    for (const subject of empty) this.#rooms.delete(subject);
  }

  #room(subject: string): RoomLog {
    let room = this.#rooms.get(subject);
    if (room === undefined) {
      room = { seqs: [], floor: 0, complete: false };
      this.#rooms.set(subject, room);
    }
    return room;
  }

  /** Notes that nothing was added between the last event and `next`. */
  #noteGap(next: number): void {
    if (next <= this.#last + 1) return;
    const number = ++this.#gapsFound;
    const latest = this.#gaps.at(-1);
    if (latest === undefined || this.#gaps.length < MAX_GAPS) {
      this.#gaps.push({ from: this.#last + 1, to: next - 1, number });
    } else {
      latest.to = next - 1;
      latest.number = number;
    }
  }

  #raiseBase(seq: number): void {
    this.#base = Math.max(this.#base, seq);
  }

  #expire(room: RoomLog): void {
    if ((room.seqs[0] ?? this.#first) >= this.#first) return;
    const gone = room.seqs.splice(0, lowerBound(room.seqs, this.#first));
    room.floor = Math.max(room.floor, gone.at(-1) ?? 0);
  }

  /** One more than is shown stays: its seq is the floor, and shows that there is one. */
  #forgetOldest(room: RoomLog): void {
    const excess = room.seqs.length - this.#maxMessages - 1;
    if (excess <= 0) return;
    const forgotten = room.seqs.splice(0, excess);
    room.floor = Math.max(room.floor, forgotten.at(-1) ?? 0);
    this.#onForgotten(forgotten);
  }
}
