import type { CustomEvent, Member, Message, Presence, RoomEvent } from "../../client/src/types.ts";

/** A stored message. */
export interface MessageEntry {
  readonly kind: "message";
  readonly seq: number;
  readonly message: Message;
  /** Its text was deleted. */
  readonly deleted: boolean;
  /** Number of the absence in which it was missed, from 1; 0 when it was not missed. */
  readonly gap: number;
}

/** A stored event of a service. */
export interface CustomEntry {
  readonly kind: "custom";
  readonly seq: number;
  readonly event: CustomEvent;
  readonly gap: number;
}

/** Who came and went after an event. Nothing of this is stored: it is known from the time the page was there. */
export interface PresenceEntry {
  readonly kind: "presence";
  readonly id: number;
  /** Seq of the last event before it. */
  readonly after: number;
  readonly at: number;
  readonly joined: readonly Member[];
  readonly left: readonly Member[];
}

/** Words of the page itself, such as that history was loaded anew. */
export interface NoteEntry {
  readonly kind: "note";
  readonly id: number;
  readonly after: number;
  readonly text: string;
}

/** One's own message that is not known to be stored yet. */
export interface OutgoingEntry {
  readonly kind: "outgoing";
  /** Id it is sent with; the stored message carries it as `clientMsgId`. */
  readonly id: string;
  readonly text: string;
  readonly imageUrl: string | undefined;
  readonly at: number;
  /** Why it was refused; undefined while it is being sent. */
  readonly failed: string | undefined;
}

export type Entry = MessageEntry | CustomEntry | PresenceEntry | NoteEntry | OutgoingEntry;
type StoredEntry = MessageEntry | CustomEntry;
type LocalEntry = PresenceEntry | NoteEntry;

/** Lines about comings and goings, and notes, that are kept. */
const MOST_LOCAL = 100;
/** Comings and goings closer together than this share a line. */
const SHARED_LINE_MS = 60_000;

/**
 * What a room shows, in order: stored events by seq, each once, whatever way and how often it comes (live, recovered,
 * as a page of history, as the answer to one's own message), what only this page knows in between, and at the end
 * what is still being sent.
 */
export class Timeline {
  #stored: StoredEntry[] = [];
  #local: LocalEntry[] = [];
  readonly #outgoing = new Map<string, OutgoingEntry>();
  readonly #deleted = new Set<number>();
  #nextId = 1;
  #latest = 0;
  #hasOlder = false;

  /** True when there are older events to be had. */
  get hasOlder(): boolean {
    return this.#hasOlder;
  }

  /** Seq of the oldest event shown; undefined when none is. */
  get oldestSeq(): number | undefined {
    return this.#stored[0]?.seq;
  }

  /** How many stored events are held. */
  get size(): number {
    return this.#stored.length;
  }

  /** Everything, in the order in which it is shown. */
  entries(): Entry[] {
    const result: Entry[] = [];
    let next = 0;
    const takeLocal = (before: number): void => {
      for (let local = this.#local[next]; local && local.after < before; local = this.#local[++next])
        result.push(local);
    };
    for (const stored of this.#stored) {
      takeLocal(stored.seq);
      result.push(stored);
    }
    takeLocal(Number.POSITIVE_INFINITY);
    return [...result, ...this.#outgoing.values()];
  }

  /** Takes an event in. False when it was there already. `gap`: number of the absence in which it was missed. */
  add(event: RoomEvent, gap = 0): boolean {
    this.#latest = Math.max(this.#latest, event.seq);
    if (event.kind === "deleted") return this.#delete(event.deletion.deletedSeq);
    if (event.kind === "custom") return this.#insert({ kind: "custom", seq: event.seq, event: event.event, gap });
    const { message } = event;
    if (message.clientMsgId !== undefined) this.#outgoing.delete(message.clientMsgId);
    const deleted = this.#deleted.has(event.seq);
    return this.#insert({ kind: "message", seq: event.seq, message, deleted, gap });
  }

  /** Takes in a page of history before everything that is there; returns those that were not there yet. */
  addOlder(events: readonly RoomEvent[], hasOlder: boolean): RoomEvent[] {
    this.#hasOlder = hasOlder;
    return events.filter((event) => this.add(event));
  }

  /** Takes in the latest page of history, instead of all that is there when there is a hole between them; returns what is new. */
  addLatest(events: readonly RoomEvent[], hasOlder: boolean): RoomEvent[] {
    const latest = this.#latest;
    const hole = hasOlder && (events[0]?.seq ?? 0) > latest;
    if (hole) this.replace(events, hasOlder);
    return events.filter((event) => (hole ? event.seq > latest : this.add(event)));
  }

  /** Begins anew with the latest events: what is shown so far may not fit to them. What is being sent stays. */
  replace(events: readonly RoomEvent[], hasOlder: boolean): void {
    this.#stored = [];
    this.#local = [];
    this.#deleted.clear();
    this.#latest = 0;
    this.addOlder(events, hasOlder);
  }

  /** Drops the oldest events, so that at most `most` are held; false when that many were not. They can be loaded again. */
  trim(most: number): boolean {
    if (this.#stored.length <= most) return false;
    this.#stored = this.#stored.slice(-most);
    const oldest = this.oldestSeq ?? 0;
    this.#local = this.#local.filter(({ after }) => after >= oldest);
    this.#hasOlder = true;
    return true;
  }

  /** Says that these events, which are there, were missed in the absence with this number. */
  markMissed(seqs: ReadonlySet<number>, gap: number): void {
    this.#stored = this.#stored.map((entry) => (seqs.has(entry.seq) ? { ...entry, gap } : entry));
  }

  /** One's own message is being sent, or again. */
  sending(id: string, text: string, imageUrl: string | undefined, at: number): void {
    this.#outgoing.set(id, { kind: "outgoing", id, text, imageUrl, at, failed: undefined });
  }

  /** One's own message was refused. */
  failed(id: string, why: string): void {
    const outgoing = this.#outgoing.get(id);
    if (outgoing) this.#outgoing.set(id, { ...outgoing, failed: why });
  }

  /** One's own message being sent or refused; undefined when there is none with this id. */
  outgoing(id: string): OutgoingEntry | undefined {
    return this.#outgoing.get(id);
  }

  /** Forgets one's own message that was refused. */
  discard(id: string): void {
    this.#outgoing.delete(id);
  }

  /** Somebody came or went. Those who only came and went within a line are left out. */
  presence({ joined, left }: Presence, at: number): void {
    if (joined.length + left.length === 0) return;
    const last = this.#local.at(-1);
    const merges = last?.kind === "presence" && last.after === this.#latest && at - last.at < SHARED_LINE_MS;
    if (merges) this.#local.pop();
    const earlier = merges ? last : { joined: [], left: [] };
    const change = cancelOut(earlier, { joined, left });
    if (change.joined.length + change.left.length === 0) return;
    this.#addLocal({ kind: "presence", id: this.#nextId++, after: this.#latest, at, ...change });
  }

  /** Adds words of the page's own. */
  note(text: string): void {
    this.#addLocal({ kind: "note", id: this.#nextId++, after: this.#latest, text });
  }

  #addLocal(entry: LocalEntry): void {
    this.#local = [...this.#local, entry].slice(-MOST_LOCAL);
  }

  #insert(entry: StoredEntry): boolean {
    const at = this.#placeOf(entry.seq);
    if (this.#stored[at]?.seq === entry.seq) return false;
    this.#stored.splice(at, 0, entry);
    return true;
  }

  #delete(seq: number): boolean {
    // Kept even when the message is not here: it may come yet, in an older page that was read before the deletion.
    this.#deleted.add(seq);
    const at = this.#placeOf(seq);
    const entry = this.#stored[at];
    if (entry?.kind !== "message" || entry.seq !== seq || entry.deleted) return false;
    this.#stored[at] = { ...entry, deleted: true };
    return true;
  }

  /** Index of the first event at or after `seq`; nearly always that is the end. */
  #placeOf(seq: number): number {
    let low = 0;
    let high = this.#stored.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#stored[middle]?.seq ?? 0) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

interface Movement {
  readonly joined: readonly Member[];
  readonly left: readonly Member[];
}

function cancelOut(earlier: Movement, later: Movement): Movement {
  const without = (members: readonly Member[], others: readonly Member[]): readonly Member[] =>
    members.filter(({ uid }) => !others.some((other) => other.uid === uid));
  return {
    joined: [...without(earlier.joined, [...later.left, ...later.joined]), ...without(later.joined, earlier.left)],
    left: [...without(earlier.left, [...later.joined, ...later.left]), ...without(later.left, earlier.joined)],
  };
}
