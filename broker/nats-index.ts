/** Rooms without any event left whose floors are remembered; beyond that the whole log's floor has to do. */
const MAX_EMPTY_ROOMS = 100_000;
/** Deletions of events before the log's beginning that are remembered until the log was read. */
const MAX_EARLY_DELETIONS = 100_000;

interface RoomLog {
  /** Seqs of its stored events, ascending; with more than what is shown the oldest are forgotten. */
  seqs: number[];
  /** Greatest seq that was dropped or forgotten. */
  floor: number;
  /** True when nothing older than `seqs` can be in the log. */
  complete: boolean;
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
 * which raises the room's floor. What was gone before the index began is taken as dropped, except what the log's own
 * deletions explain.
 */
export class RoomIndex {
  readonly #maxMessages: number;
  readonly #slack: number;
  readonly #onCrowded: (subject: string) => void;
  readonly #rooms = new Map<string, RoomLog>();
  readonly #earlyDeletions = new Set<number>();
  /** Everything up to here may have had events of any room that are gone. */
  #base = 0;
  /** No event before this exists. */
  #first = 1;
  /** Every event from here on was added. */
  #from = 1;
  #trimmedTo = Number.POSITIVE_INFINITY;

  /** @param options.onCrowded called when a room has many more events than are shown. */
  constructor(options: { readonly maxMessages: number; readonly onCrowded: (subject: string) => void }) {
    this.#maxMessages = options.maxMessages;
    this.#slack = Math.max(16, Math.floor(options.maxMessages / 4));
    this.#onCrowded = options.onCrowded;
  }

  /** Begins with a log whose oldest event is `first`, of which events from `from` on will be added. */
  begin(first: number, from: number): void {
    this.#base = first - 1;
    this.#first = first;
    this.#from = from;
  }

  /** Adds an event; seqs only grow. */
  add(subject: string, seq: number): void {
    const room = this.#room(subject);
    if (seq <= (room.seqs.at(-1) ?? 0)) return;
    room.seqs.push(seq);
    if (room.seqs.length <= this.#maxMessages + this.#slack) return;
    this.#forgetOldest(room);
    this.#onCrowded(subject);
  }

  /** Notes that an event was deleted by somebody. Returns true when the event was there. */
  delete(subject: string, seq: number): boolean {
    if (seq <= this.#base && this.#earlyDeletions.size < MAX_EARLY_DELETIONS) this.#earlyDeletions.add(seq);
    const seqs = this.#rooms.get(subject)?.seqs;
    const index = seqs === undefined ? -1 : lowerBound(seqs, seq);
    if (seqs?.[index] !== seq) return false;
    seqs.splice(index, 1);
    return true;
  }

  /** Ends the first reading of the log: what was missing at its beginning and was deleted by somebody was not dropped. */
  settle(): void {
    if (this.#from <= this.#first) while (this.#earlyDeletions.delete(this.#base)) this.#base--;
    this.#earlyDeletions.clear();
  }

  /** Notes that no event before `first` exists any more. Call it only with every deletion up to then known. */
  dropBefore(first: number): void {
    this.#first = Math.max(this.#first, first);
  }

  /** Notes that events before `first` were dropped before they could be added. */
  lose(first: number): void {
    this.#base = Math.max(this.#base, first - 1);
    this.dropBefore(first);
  }

  /** Notes that rooms were trimmed so that never fewer than this many events beyond it were left. */
  trimmedTo(events: number): void {
    this.#trimmedTo = Math.min(this.#trimmedTo, events);
  }

  /** How many events of the room are known, and whether older ones may be in the log. */
  known(subject: string): { readonly events: number; readonly complete: boolean } {
    const room = this.#rooms.get(subject);
    if (room) this.#expire(room);
    const events = room?.seqs.length ?? 0;
    const isAll = this.#from <= this.#first || room?.complete === true;
    return { events, complete: isAll || events > this.#maxMessages };
  }

  /** Adds a room's events that are older than those added so far; there are no others. */
  fill(subject: string, older: readonly number[]): void {
    const room = this.#room(subject);
    const oldest = room.seqs[0] ?? Number.POSITIVE_INFINITY;
    room.seqs = [...older.filter((seq) => seq < oldest), ...room.seqs];
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
    this.#base = Math.max(this.#base, this.#first - 1);
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

  #expire(room: RoomLog): void {
    if ((room.seqs[0] ?? this.#first) >= this.#first) return;
    const gone = room.seqs.splice(0, lowerBound(room.seqs, this.#first));
    room.floor = Math.max(room.floor, gone.at(-1) ?? 0);
  }

  /** One more than is shown stays: its seq is the floor, and shows that there is one. */
  #forgetOldest(room: RoomLog): void {
    const excess = room.seqs.length - this.#maxMessages - 1;
    if (excess <= 0) return;
    room.floor = Math.max(room.floor, room.seqs[excess - 1] ?? 0);
    room.seqs = room.seqs.slice(excess);
  }
}

/** Index of the first element that is not smaller than `value`. */
export function lowerBound(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
