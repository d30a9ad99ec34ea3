/** Where an entry is. Grows with every entry, whichever room's it is. */
export type Place = number;

/** No place at all. */
export const NOWHERE: Place = -1;

/** An event as it is kept: where it stands in its room, and its JSON of encodeEvent. */
export interface NewEntry {
  readonly seq: number;
  readonly prevSeq: number;
  /** When it was sent, in milliseconds since 1970; 0 when that is not known. */
  readonly sentMs: number;
  /** When it came live, in milliseconds since 1970; 0 for what was read from the log. */
  readonly heardAt: number;
  /** Number of the entry in its room: one more than the one before it. */
  readonly ordinal: number;
  readonly json: string;
}

/** What is known of a kept event without its JSON. */
export interface Entry extends Omit<NewEntry, "json"> {
  readonly place: Place;
  /** Of the room's entry before it, which may be forgotten; NOWHERE for none. */
  readonly prev: Place;
  /** Bytes of its JSON. */
  readonly bytes: number;
}

/** Two views of the same memory. */
interface Segment {
  readonly numbers: Float64Array;
  readonly bytes: Buffer;
}

const SEGMENT_BYTES = 1024 * 1024;
/** Where each number stands before an entry's JSON. */
const PREV = 0;
const SEQ = 1;
const PREV_SEQ = 2;
const SENT_MS = 3;
const HEARD_AT = 4;
const ORDINAL = 5;
const BYTES = 6;
const NUMBERS = 7;
const HEADER_BYTES = NUMBERS * 8;

/**
 * The latest events of all rooms together, one behind the other in memory of its own; the oldest are forgotten first. As
 * objects they would outlive V8's young generation and die in the old one, which was up to half of what a publish costs an
 * edge of many rooms. Entries of one room are a list, each knows the one before it.
 */
export class RecentEvents {
  readonly #capacity: () => number;
  /** Oldest first; entries are written into the last one. */
  readonly #segments: Segment[] = [];
  /** Segments forgotten before these. */
  #forgotten = 0;
  /** Bytes used of the last one. */
  #used = SEGMENT_BYTES;

  /** @param options.capacity most bytes, asked for each time a mebibyte is full; one mebibyte is kept in any case. */
  constructor(options: { readonly capacity: () => number }) {
    this.#capacity = options.capacity;
  }

  /** Keeps an event behind `prev`, the latest of its room. NOWHERE when it is more than is ever kept of one. */
  append({ seq, prevSeq, sentMs, heardAt, ordinal, json }: NewEntry, prev: Place): Place {
    // In UTF-8 no UTF-16 unit takes more than three bytes.
    const most = HEADER_BYTES + 3 * json.length;
    if (most > SEGMENT_BYTES) return NOWHERE;
    if (this.#used + most > SEGMENT_BYTES) this.#begin();
    const number = this.#forgotten + this.#segments.length - 1;
    const { numbers, bytes } = this.#segments[this.#segments.length - 1] as Segment;
    const offset = this.#used;
    const at = offset / 8;
    const length = bytes.write(json, offset + HEADER_BYTES);
    numbers[at + PREV] = prev;
    numbers[at + SEQ] = seq;
    numbers[at + PREV_SEQ] = prevSeq;
    numbers[at + SENT_MS] = sentMs;
    numbers[at + HEARD_AT] = heardAt;
    numbers[at + ORDINAL] = ordinal;
    numbers[at + BYTES] = length;
    // Numbers are aligned.
    this.#used = Math.ceil((offset + HEADER_BYTES + length) / 8) * 8;
    return number * SEGMENT_BYTES + offset;
  }

  /** What is kept at a place; undefined when it is forgotten. */
  get(place: Place): Entry | undefined {
    const numbers = this.#segmentOf(place)?.numbers;
    if (numbers === undefined) return undefined;
    const at = (place % SEGMENT_BYTES) / 8;
    return {
      place,
      prev: numbers[at + PREV] as number,
      seq: numbers[at + SEQ] as number,
      prevSeq: numbers[at + PREV_SEQ] as number,
      sentMs: numbers[at + SENT_MS] as number,
      heardAt: numbers[at + HEARD_AT] as number,
      ordinal: numbers[at + ORDINAL] as number,
      bytes: numbers[at + BYTES] as number,
    };
  }

  /** The JSON of an entry that is kept. */
  json({ place, bytes }: Entry): string {
    const start = (place % SEGMENT_BYTES) + HEADER_BYTES;
    return this.#segmentOf(place)?.bytes.toString("utf8", start, start + bytes) ?? "";
  }

  /** Puts an entry that is kept behind another place. */
  link({ place }: Entry, prev: Place): void {
    const segment = this.#segmentOf(place);
    if (segment) segment.numbers[(place % SEGMENT_BYTES) / 8 + PREV] = prev;
  }

  /** Changes what an entry that is kept says of the event before it. Its JSON must not become longer. */
  rewrite({ place }: Entry, prevSeq: number, json: string): void {
    const segment = this.#segmentOf(place);
    if (segment === undefined) return;
    const offset = place % SEGMENT_BYTES;
    segment.numbers[offset / 8 + PREV_SEQ] = prevSeq;
    segment.numbers[offset / 8 + BYTES] = segment.bytes.write(json, offset + HEADER_BYTES);
  }

  #segmentOf(place: Place): Segment | undefined {
    return place < 0 ? undefined : this.#segments[Math.floor(place / SEGMENT_BYTES) - this.#forgotten];
  }

  #begin(): void {
    let free: Segment | undefined;
    while (this.#segments.length > 0 && (this.#segments.length + 1) * SEGMENT_BYTES > this.#capacity()) {
      free = this.#segments.shift();
      this.#forgotten++;
    }
    this.#segments.push(free ?? newSegment());
    this.#used = 0;
  }
}

function newSegment(): Segment {
  // Shared with nobody, but of a kind whose size V8 does not count: it would collect the whole heap for every 64 MiB more.
  const memory = new SharedArrayBuffer(SEGMENT_BYTES);
  return { numbers: new Float64Array(memory), bytes: Buffer.from(memory) };
}
