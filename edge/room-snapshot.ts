import type { StoredEvent } from "../broker/broker.ts";
import { encodeEvent } from "./frame-encoders.ts";

/** The latest event of a key. */
interface Latest {
  readonly seq: number;
  /** JSON of encodeEvent; undefined when it was cleared. */
  readonly json: string | undefined;
}

/** Cleared keys that are remembered while the room's snapshot is not known. */
const MAX_CLEARED = 256;

/**
 * A room's snapshot as of what was heard of the room: the latest event of each key. What was there before the room was
 * first heard comes with the answer to a join; from then on the room's own events keep it up to date, so that the
 * control plane need not send it again to every joiner.
 */
export class RoomSnapshot {
  readonly #epoch: string;
  /** What was heard, cleared keys included until the snapshot is known. Undefined when nothing was: few rooms have any. */
  #latest: Map<string, Latest> | undefined;
  #known = false;
  #generation = 0;

  constructor(options: { readonly epoch: string }) {
    this.#epoch = options.epoch;
  }

  /** True when the whole snapshot is known. */
  get known(): boolean {
    return this.#known;
  }

  /** How often it was forgotten: an answer that was asked for before that must not be taken. */
  get generation(): number {
    return this.#generation;
  }

  /** Takes the room's next event in. */
  hear({ seq, event: { body } }: StoredEvent, json: string): void {
    if (body.case !== "customEvent" || body.value.snapshotKey === "") return;
    const { snapshotKey, dataJson } = body.value;
    // Set anew, so that the order is that of the seqs.
    this.#latest?.delete(snapshotKey);
    const cleared = dataJson === "" || dataJson === "null";
    if (!cleared) this.#set(snapshotKey, { seq, json });
    else if (!this.#known) this.#remember(snapshotKey, seq);
  }

  /** Continuity is lost, or nobody needs it: it has to be asked for again. */
  forget(): void {
    this.#latest = undefined;
    this.#known = false;
    this.#generation++;
  }

  /**
   * The events, as they were pushed and in the order of their seqs, for who joins at position `seq`.
   * @param given the snapshot as the control plane sent it with the answer to the join, as of the answer's position;
   * undefined when it has not changed since the position it was asked for with.
   * @param heard position up to which the room was heard.
   */
  answer(given: readonly StoredEvent[] | undefined, seq: number, heard: number): readonly string[] {
    if (!this.#known) this.#learn(given ?? [], heard);
    // A newcomer that is ahead of the room is not told again what the room is yet to hear.
    if (seq > heard && given !== undefined) return given.map((stored) => encodeEvent(stored, this.#epoch));
    return [...(this.#latest?.values() ?? [])].flatMap(({ json }) => json ?? []);
  }

  /** What the room is yet to hear is left out: it comes as the room's next events. */
  #learn(given: readonly StoredEvent[], heard: number): void {
    const known = new Map<string, Latest>();
    for (const stored of given) {
      const { body } = stored.event;
      if (body.case !== "customEvent" || stored.seq > heard) continue;
      known.set(body.value.snapshotKey, { seq: stored.seq, json: encodeEvent(stored, this.#epoch) });
    }
    for (const [key, latest] of this.#latest ?? [])
      if ((known.get(key)?.seq ?? 0) <= latest.seq) known.set(key, latest);
    const inOrder = [...known].filter(([, { json }]) => json !== undefined).sort(([, a], [, b]) => a.seq - b.seq);
    this.#latest = inOrder.length > 0 ? new Map(inOrder) : undefined;
    this.#known = true;
  }

  #set(key: string, latest: Latest): Map<string, Latest> {
    this.#latest ??= new Map();
    return this.#latest.set(key, latest);
  }

  #remember(key: string, seq: number): void {
    const latest = this.#set(key, { seq, json: undefined });
    if (latest.size <= MAX_CLEARED) return;
    const [oldest] = latest.keys();
    if (oldest !== undefined) latest.delete(oldest);
  }
}
