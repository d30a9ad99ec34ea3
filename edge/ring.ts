import type { StoredEvent } from "../broker/broker.ts";
import { FIXED } from "../services/limits.ts";
import { encodeEvent, withPrevSeq } from "./frame-encoders.ts";
import { type Entry, NOWHERE, type Place, type RecentEvents } from "./recent-events.ts";
import { sentMs } from "./stored-event.ts";

/** How much of a room an edge keeps at hand. */
export interface RingLimits {
  /** Most events; no more than history shows of a room, so that the ring never knows more than the log admits. */
  readonly events: number;
  /** How old an event may be to be shown, in milliseconds. */
  readonly ageMs: number;
}

/** A page of events as JSON texts of encodeEvent, oldest first. */
export interface RingPage {
  readonly events: readonly string[];
  /** True when there are more in the direction asked for. */
  readonly hasMore: boolean;
}

/**
 * Why a walk went no further. `stopped`: the walker had enough. `begin`: nothing was put in before. `forgotten`: what was
 * is no longer known.
 */
type WalkEnd = "stopped" | "begin" | "forgotten";

/**
 * The recent events of one room, encoded once, in what all rooms share. It holds every event of the room after `from`,
 * without holes: that is the invariant by which it may answer instead of the log.
 */
export class Ring {
  readonly #epoch: string;
  readonly #limits: RingLimits;
  readonly #recent: RecentEvents;
  readonly #now: () => number;
  #latest: Place = NOWHERE;
  /** Position of the latest event, or where the ring began. */
  #last = 0;
  /** Ordinal of the latest event. */
  #count = 0;
  /** What was put in is every event after this position. */
  #base = 0;
  /** History shows nothing before what was put in. Positions before `from` are unknown here all the same. */
  #whole = false;

  constructor(options: {
    readonly epoch: string;
    readonly limits: RingLimits;
    readonly recent: RecentEvents;
    readonly now?: () => number;
  }) {
    this.#epoch = options.epoch;
    this.#limits = options.limits;
    this.#recent = options.recent;
    this.#now = options.now ?? Date.now;
  }

  /** Position after which the ring holds every event of the room. 0: every event there ever was. Looks at all it holds. */
  get from(): number {
    return this.#reach().from;
  }

  /** Forgets everything: from now on the ring knows what comes after `seq`. */
  reset(seq: number): void {
    this.#latest = NOWHERE;
    this.#last = seq;
    this.#base = seq;
    this.#whole = false;
  }

  /** Adds the room's next event and returns its JSON. A deletion takes the deleted event out. */
  push(stored: StoredEvent): string {
    const { seq, event } = stored;
    const json = encodeEvent(stored, this.#epoch);
    this.#latest = this.#append(stored, json, { prev: this.#latest, ordinal: ++this.#count, heardAt: this.#now() });
    this.#last = seq;
    if (this.#latest === NOWHERE) this.reset(seq);
    else if (event.body.case === "deletion") this.#remove(Number(event.body.value.deletedSeq));
    return json;
  }

  /**
   * Puts older events in front, as a read of the log gave them: all events after `from`, at least up to where the ring
   * begins. What does not fit is left out. `whole` says that history shows nothing before them: retention or deletion
   * may have taken what was there, so that is no reason to recover from any position before `from`.
   */
  prepend(from: number, events: readonly StoredEvent[], whole = false): void {
    const { from: begin, end, oldest } = this.#reach();
    if (from >= begin) {
      if (end === "begin") this.#whole ||= whole;
      return;
    }
    const newest = oldest === undefined ? this.#count : oldest.ordinal - 1;
    const space = Math.max(0, newest - (this.#count - this.#limits.events));
    const older = events.filter(({ seq }) => seq > from && seq <= begin);
    const fitting = space === 0 ? [] : older.slice(-space);
    this.#base = older.at(-fitting.length - 1)?.seq ?? from;
    let prev = NOWHERE;
    for (const [index, stored] of fitting.entries()) {
      const ordinal = newest - fitting.length + 1 + index;
      prev = this.#append(stored, encodeEvent(stored, this.#epoch), { prev, ordinal, heardAt: 0 });
      if (prev === NOWHERE) this.#base = stored.seq;
    }
    this.#whole = whole && this.#base === from;
    if (oldest === undefined) this.#latest = prev;
    else this.#follow(oldest, prev, fitting.at(-1)?.seq ?? this.#base);
  }

  /** When an event came, in milliseconds since 1970; undefined when that is not known here. */
  heardAt(seq: number): number | undefined {
    let heardAt = 0;
    this.#walk((entry) => {
      if (entry.seq === seq) heardAt = entry.heardAt;
      return entry.seq > seq;
    });
    return heardAt > 0 ? heardAt : undefined;
  }

  /** The earliest events after `seq`; undefined when the ring does not reach back that far. */
  after(seq: number, limit: number): RingPage | undefined {
    const entries: Entry[] = [];
    const end = this.#walk((entry) => entry.seq > seq && entries.push(entry) > 0);
    if (end !== "stopped" && seq < this.#fromOf(end, entries.at(-1))) return undefined;
    entries.reverse();
    let count = 0;
    for (let bytes = 0; count < entries.length && count < limit; count++) {
      bytes += entries[count]?.bytes ?? 0;
      if (bytes > FIXED.historyBytes && count > 0) break;
    }
    return this.#page(entries.slice(0, count), count < entries.length);
  }

  /** The latest events before `seq` (default: the end); undefined when the ring may not have them all. */
  before(seq: number | undefined, limit: number): RingPage | undefined {
    const entries: Entry[] = [];
    let bytes = 0;
    const end = this.#walk((entry) => {
      if (seq !== undefined && entry.seq >= seq) return true;
      bytes += entry.bytes;
      const full = entries.length === limit || (bytes > FIXED.historyBytes && entries.length > 0);
      return !full && entries.push(entry) > 0;
    });
    const isKnown = end === "stopped" || (end === "begin" && (this.#whole || this.#base === 0));
    if (!isKnown && entries.length < limit) return undefined;
    if (end === "begin" && seq !== undefined && seq <= this.#base) return undefined;
    return this.#page(entries.reverse(), end === "stopped" || !isKnown);
  }

  #append(
    { seq, prevSeq, event }: StoredEvent,
    json: string,
    place: { readonly prev: Place; readonly ordinal: number; readonly heardAt: number },
  ): Place {
    const { prev, ordinal, heardAt } = place;
    return this.#recent.append({ seq, prevSeq, sentMs: sentMs(event), heardAt, ordinal, json }, prev);
  }

  #page(entries: readonly Entry[], hasMore: boolean): RingPage | undefined {
    const oldestMs = entries[0]?.sentMs ?? 0;
    // Retention by age is the log's to apply: what might have expired is asked there.
    if (oldestMs > 0 && oldestMs < this.#now() - this.#limits.ageMs) return undefined;
    return { events: entries.map((entry) => this.#recent.json(entry)), hasMore };
  }

  #remove(seq: number): void {
    let next: Entry | undefined;
    this.#walk((entry) => {
      if (entry.seq === seq && next !== undefined) this.#follow(next, entry.prev, entry.prevSeq);
      next = entry;
      return entry.seq > seq;
    });
  }

  /** An entry comes after another one now. It must not point at what was deleted, or whoever reads both would see a hole. */
  #follow(entry: Entry, prev: Place, prevSeq: number): void {
    this.#recent.link(entry, prev);
    if (entry.prevSeq > prevSeq) this.#recent.rewrite(entry, prevSeq, withPrevSeq(this.#recent.json(entry), prevSeq));
  }

  /** How far back it reaches, and the oldest entry of all. */
  #reach(): { readonly from: number; readonly end: WalkEnd; readonly oldest: Entry | undefined } {
    let oldest: Entry | undefined;
    const end = this.#walk((entry) => {
      oldest = entry;
      return true;
    });
    return { from: this.#fromOf(end, oldest), end, oldest };
  }

  /** Position after which everything is known, as a walk found it that went on to the end. */
  #fromOf(end: WalkEnd, oldest: Entry | undefined): number {
    if (end === "begin") return this.#base;
    if (oldest === undefined) return this.#last;
    return oldest.prevSeq > 0 ? oldest.prevSeq : oldest.seq - 1;
  }

  /** Shows entries, newest first, until `visit` has enough. */
  #walk(visit: (entry: Entry) => boolean): WalkEnd {
    for (let place = this.#latest; place !== NOWHERE; ) {
      const entry = this.#recent.get(place);
      // By ordinals: what was left out once must not come back because others were deleted.
      if (entry === undefined || entry.ordinal <= this.#count - this.#limits.events) return "forgotten";
      if (!visit(entry)) return "stopped";
      place = entry.prev;
    }
    return "begin";
  }
}
