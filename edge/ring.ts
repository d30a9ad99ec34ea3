import type { StoredEvent } from "../broker/broker.ts";
import { FIXED } from "../services/limits.ts";
import { encodeEvent, withPrevSeq } from "./frame-encoders.ts";
import { sentMs } from "./stored-event.ts";

/** How much of a room an edge keeps at hand. */
export interface RingLimits {
  /** Most events; no more than history shows of a room, so that the ring never knows more than the log admits. */
  readonly events: number;
  /** Most characters of JSON. */
  readonly chars: number;
  /** How old an event may be to be shown, in milliseconds. */
  readonly ageMs: number;
}

/** A page of events as JSON texts of encodeEvent, oldest first. */
export interface RingPage {
  readonly events: readonly string[];
  /** True when there are more in the direction asked for. */
  readonly hasMore: boolean;
}

/** One entry in so many may be a forgotten one. */
const FORGOTTEN_SHARE = 8;

/** Not the event itself: a ring outlives the young generation, and thousands of small objects with it. */
interface Entry {
  readonly seq: number;
  readonly prevSeq: number;
  /** When it was sent, in milliseconds since 1970; 0 when that is not known. */
  readonly sentMs: number;
  readonly json: string;
  /** When it came live, in milliseconds since 1970; 0 for what was read from the log. */
  readonly heardAt: number;
}

/**
 * The recent events of one room, encoded once. It holds every event of the room after `from`, without holes: that is the
 * invariant by which it may answer instead of the log.
 */
export class Ring {
  readonly #epoch: string;
  readonly #limits: RingLimits;
  readonly #now: () => number;
  /** Oldest first. Those before `#first` are forgotten, and taken out some at a time: each time moves all the others. */
  #entries: Entry[] = [];
  #first = 0;
  #chars = 0;
  #from = 0;
  /** History shows nothing before the ring's first event. Positions before `from` are unknown here all the same. */
  #whole = false;

  constructor(options: { readonly epoch: string; readonly limits: RingLimits; readonly now?: () => number }) {
    this.#epoch = options.epoch;
    this.#limits = options.limits;
    this.#now = options.now ?? Date.now;
  }

  /** Position after which the ring holds every event of the room. 0: every event there ever was. */
  get from(): number {
    return this.#from;
  }

  /** Forgets everything: from now on the ring knows what comes after `seq`. */
  reset(seq: number): void {
    this.#entries = [];
    this.#first = 0;
    this.#chars = 0;
    this.#from = seq;
    this.#whole = false;
  }

  /** Adds the room's next event and returns its JSON. A deletion takes the deleted event out. */
  push(stored: StoredEvent): string {
    const { body } = stored.event;
    const entry = this.#encode(stored, this.#now());
    this.#entries.push(entry);
    this.#chars += entry.json.length;
    if (body.case === "deletion") this.#remove(Number(body.value.deletedSeq));
    this.#trim();
    return entry.json;
  }

  /**
   * Puts older events in front, as a read of the log gave them: all events after `from`, at least up to where the ring
   * begins. What does not fit is left out. `whole` says that history shows nothing before them: retention or deletion
   * may have taken what was there, so that is no reason to recover from any position before `from`.
   */
  prepend(from: number, events: readonly StoredEvent[], whole = false): void {
    this.#whole ||= whole;
    if (from >= this.#from) return;
    const older = events
      .filter((stored) => stored.seq > from && stored.seq <= this.#from)
      .map((stored) => this.#encode(stored, 0));
    this.#entries = [...older, ...this.#entries.slice(this.#first)];
    this.#first = 0;
    this.#chars += older.reduce((sum, entry) => sum + entry.json.length, 0);
    this.#from = from;
    this.#trim();
  }

  /** When an event came, in milliseconds since 1970; undefined when that is not known here. */
  heardAt(seq: number): number | undefined {
    const entry = this.#entries[this.#indexAfter(seq - 1)];
    return entry?.seq === seq && entry.heardAt > 0 ? entry.heardAt : undefined;
  }

  /** The earliest events after `seq`; undefined when the ring does not reach back that far. */
  after(seq: number, limit: number): RingPage | undefined {
    if (seq < this.#from) return undefined;
    const start = this.#indexAfter(seq);
    let end = start;
    for (let chars = 0; end < this.#entries.length && end - start < limit; end++) {
      chars += this.#entries[end]?.json.length ?? 0;
      if (chars > FIXED.historyBytes && end > start) break;
    }
    return this.#page(start, end, end < this.#entries.length);
  }

  /** The latest events before `seq` (default: the end); undefined when the ring may not have them all. */
  before(seq: number | undefined, limit: number): RingPage | undefined {
    if (seq !== undefined && seq <= this.#from) return undefined;
    const end = seq === undefined ? this.#entries.length : this.#indexAfter(seq - 1);
    let start = end;
    let full = false;
    for (let chars = 0; start > this.#first && end - start < limit; start--) {
      chars += this.#entries[start - 1]?.json.length ?? 0;
      full = chars > FIXED.historyBytes && start < end;
      if (full) break;
    }
    const mayHaveOlder = this.#from > 0 && !this.#whole;
    if (!full && end - start < limit && mayHaveOlder) return undefined;
    return this.#page(start, end, start > this.#first || mayHaveOlder);
  }

  #encode(stored: StoredEvent, heardAt: number): Entry {
    const { seq, prevSeq, event } = stored;
    return { seq, prevSeq, sentMs: sentMs(event), json: encodeEvent(stored, this.#epoch), heardAt };
  }

  #page(start: number, end: number, hasMore: boolean): RingPage | undefined {
    const entries = this.#entries.slice(start, end);
    const oldestMs = entries[0]?.sentMs ?? 0;
    // Retention by age is the log's to apply: what might have expired is asked there.
    if (oldestMs > 0 && oldestMs < this.#now() - this.#limits.ageMs) return undefined;
    return { events: entries.map((entry) => entry.json), hasMore };
  }

  /** Index of the first event after `seq`. */
  #indexAfter(seq: number): number {
    let low = this.#first;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle]?.seq ?? 0) > seq) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #remove(seq: number): void {
    const index = this.#indexAfter(seq - 1);
    const removed = this.#entries[index];
    if (removed?.seq !== seq) return;
    this.#entries.splice(index, 1);
    this.#chars -= removed.json.length;
    // Its successor must not point at it any more, or whoever reads the two neighbours would see a hole.
    const next = this.#entries[index];
    if (next === undefined || next.prevSeq !== seq) return;
    const { prevSeq } = removed;
    const json = withPrevSeq(next.json, prevSeq);
    this.#entries[index] = { ...next, prevSeq, json };
    this.#chars += json.length - next.json.length;
  }

  #trim(): void {
    const first = this.#first;
    while (this.#entries.length - this.#first > this.#limits.events || this.#chars > this.#limits.chars) {
      const oldest = this.#entries[this.#first];
      if (oldest === undefined) break;
      this.#chars -= oldest.json.length;
      this.#from = oldest.seq;
      this.#first++;
    }
    if (this.#first === first) return;
    this.#whole = false;
    if (this.#first * FORGOTTEN_SHARE < this.#entries.length) return;
    this.#entries.splice(0, this.#first);
    this.#first = 0;
  }
}
