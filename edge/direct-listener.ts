import type { RoomId, Uid } from "../services/ids.ts";
import type { DirectPosition } from "./direct-position.ts";
import { textFrame } from "./frame-encoders.ts";
import type { Outbox } from "./outbox.ts";

/** What a client missed while it was away. */
export interface Missed {
  /** With `events` and what is told to be truncated, the client has everything up to here. */
  readonly seq: number;
  /** In the order of the log, as JSON of encodeEvent. */
  readonly events: readonly { readonly room: RoomId; readonly seq: number; readonly json: string }[];
  /** What tells of everything else that was missed, and of these conversations; undefined when that is nothing. */
  readonly truncated: (overflowed: readonly RoomId[]) => string | undefined;
}

/** What a listener asks of who fills it. */
export interface DirectSource {
  /** How many direct frames the user was sent here so far. */
  readonly count: number;
  /** Where somebody stands who was given everything up to a seq and heard everything live since then. */
  position(seq: number): DirectPosition;
}

/** A place in the stream of frames to one client. */
interface Mark {
  readonly count: number;
  readonly position: DirectPosition;
}

interface Held {
  readonly room: RoomId;
  readonly seq: number;
  readonly frame: Buffer;
}

/** What may be kept back until it is known what the client missed. */
const HELD = { frames: 1_000, bytes: 1024 * 1024 };
/** Conversations of which is remembered what was sent last. */
const MAX_GIVEN = 1_000;
/** Pings that may be unanswered: one more, and the connection is closed for silence. */
const PINGS = 3;

/**
 * One connection's share of its user's direct messages. What comes live is kept back until what was missed has been
 * sent, so that every conversation is in order, without hole or duplicate where the two meet.
 *
 * It also knows what the client certainly has: what was sent before a ping that was answered.
 */
export class DirectListener {
  readonly uid: Uid;
  readonly clientId: string;
  readonly #outbox: Outbox;
  readonly #source: DirectSource;
  #held: Held[] | undefined = [];
  #heldBytes = 0;
  #overflowed: Set<RoomId> | undefined;
  /** Position up to which the client was given everything; undefined while that is not known. */
  #from: number | undefined;
  /** Live events up to here are not passed on … */
  #skipTo = 0;
  /** … nor, in these conversations, up to there: what was sent of them last. */
  #given: Map<RoomId, number> | undefined;
  /** What was sent before the first event that could not be: the client was leaving. */
  #cutOff: DirectPosition | undefined;
  /** Pings sent, and those that were answered; of some it is known what was sent before them. */
  #pings = 0;
  #pongs = 0;
  #marks: { readonly ping: number; readonly mark: Mark }[] | undefined;
  #marked = -1;
  #confirmed: DirectPosition | undefined;
  #confirmedCount = 0;

  constructor(options: { uid: Uid; clientId: string; outbox: Outbox; source: DirectSource }) {
    this.uid = options.uid;
    this.clientId = options.clientId;
    this.#outbox = options.outbox;
    this.#source = options.source;
  }

  /** Passes a live frame on, unless the client has it; `seq` is 0 for what is no event. */
  hear(room: RoomId, seq: number, frame: Buffer): void {
    if (this.#held !== undefined) {
      this.#hold(this.#held, { room, seq, frame });
      return;
    }
    const given = Math.max(this.#skipTo, this.#given?.get(room) ?? 0);
    if (seq !== 0 && seq <= given) return;
    if (!this.#outbox.isOpen) {
      // What still waits to be written is left out, too: then nothing is known.
      this.#outbox.flush();
      this.#cutOff ??= this.#positionWithout(room, given);
    }
    this.#outbox.push(frame);
    if (seq !== 0) this.#sent(room, seq);
  }

  /**
   * Goes live, unless the client is leaving; returns whether anything was sent.
   * @param missed what the client missed; undefined when nobody can tell now.
   */
  begin(missed: Missed | undefined): boolean {
    if (!this.#outbox.isOpen) return false;
    const held = this.#held ?? [];
    this.#held = undefined;
    if (missed !== undefined) {
      for (const event of missed.events) {
        this.#outbox.push(textFrame(event.json));
        this.#sent(event.room, event.seq);
      }
      this.#skipTo = missed.seq;
    }
    const told = missed !== undefined && this.tell(missed);
    for (const { room, seq, frame } of held) this.hear(room, seq, frame);
    const sent = told || held.length > 0 || (missed?.events.length ?? 0) > 0;
    if (!sent) this.#confirm(this.#mark());
    return sent;
  }

  /** Tells by name what was missed, which may be done when the client is live already; returns whether that was anything. */
  tell(missed: Missed): boolean {
    if (!this.#outbox.isOpen) return false;
    this.#from = missed.seq;
    const truncated = missed.truncated([...(this.#overflowed ?? [])]);
    this.#overflowed = undefined;
    if (truncated !== undefined) this.#outbox.push(textFrame(truncated));
    return truncated !== undefined;
  }

  /** A ping was sent behind everything that was sent so far. */
  pinged(): void {
    this.#pings++;
    // One more that is unanswered, and the connection is closed for silence: the client answers some of them only.
    this.#pongs = Math.max(this.#pongs, this.#pings - PINGS);
    if (this.#from === undefined || this.#marked === this.#source.count) return;
    const mark = this.#mark();
    if (mark === undefined) return;
    this.#marks = [...(this.#marks ?? []), { ping: this.#pings, mark }].slice(-PINGS);
  }

  /** A ping was answered: the oldest one at least. */
  ponged(): void {
    if (this.#pongs < this.#pings) this.#pongs++;
    if (this.#marks === undefined) return;
    for (const { ping, mark } of this.#marks) if (ping <= this.#pongs) this.#confirm(mark);
    const left = this.#marks.filter(({ ping }) => ping > this.#pongs);
    this.#marks = left.length > 0 ? left : undefined;
  }

  /** How many frames of the user it certainly has. */
  get confirmedCount(): number {
    return this.#confirmedCount;
  }

  /** What the client certainly has; undefined while that is not known. */
  get confirmed(): DirectPosition | undefined {
    return this.#confirmed;
  }

  /** What the client has been sent; undefined while that is not known. */
  get sent(): DirectPosition | undefined {
    if (this.#cutOff !== undefined) return this.#cutOff;
    if (this.#held !== undefined || this.#from === undefined || this.#outbox.lossy) return undefined;
    return this.#source.position(this.#from);
  }

  /** The position now, but for the conversation's latest event. */
  #positionWithout(room: RoomId, given: number): DirectPosition | undefined {
    const now = this.sent;
    if (now === undefined) return undefined;
    const ahead = new Map(now.ahead);
    ahead.delete(room);
    if (given > now.seq) ahead.set(room, given);
    return { seq: now.seq, ahead };
  }

  #sent(room: RoomId, seq: number): void {
    // Made when they are needed: most users never are sent a direct message.
    this.#given ??= new Map();
    const given = this.#given;
    given.delete(room);
    given.set(room, seq);
    // Of the others it is known that they were heard, which is what matters but to a client that is leaving.
    if (given.size > MAX_GIVEN) given.delete(given.keys().next().value as RoomId);
  }

  #hold(held: Held[], item: Held): void {
    if (this.#overflowed?.has(item.room)) return;
    held.push(item);
    this.#heldBytes += item.frame.length;
    if (held.length <= HELD.frames && this.#heldBytes <= HELD.bytes) return;
    this.#overflowed ??= new Set();
    for (const { room } of held) this.#overflowed.add(room);
    this.#held = [];
    this.#heldBytes = 0;
  }

  #confirm(mark: Mark | undefined): void {
    this.#confirmed = mark?.position;
    this.#confirmedCount = mark?.count ?? 0;
  }

  #mark(): Mark | undefined {
    const position = this.sent;
    if (position === undefined) return undefined;
    this.#marked = this.#source.count;
    return { count: this.#source.count, position };
  }
}
