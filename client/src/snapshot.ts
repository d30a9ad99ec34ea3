import type { CustomEvent, RoomEvent } from "./types.ts";

/** Keys that are remembered, those that were cleared included. */
const MAX_KEYS = 256;

/** The latest event of each snapshot key of a room, in the order of their seqs. */
export class Snapshot {
  readonly #latest = new Map<string, CustomEvent>();
  /** Seq of the last event of each key, also of what cleared it; the latest last. */
  readonly #seqs = new Map<string, number>();
  /** Nothing up to here is news: the last join gave all of it. */
  #asOf = 0;

  get latest(): ReadonlyMap<string, CustomEvent> {
    return this.#latest;
  }

  /** Takes over what a join was answered: all there is, as of a position. */
  joined(events: readonly RoomEvent[], asOf: number): void {
    this.#latest.clear();
    this.#seqs.clear();
    this.#asOf = asOf;
    for (const event of events) this.heard(event);
  }

  /** True for an event that is later than all that is known of its key. */
  isNews(event: RoomEvent): boolean {
    if (event.kind !== "custom" || event.event.snapshotKey === undefined) return false;
    return event.seq > Math.max(this.#asOf, this.#seqs.get(event.event.snapshotKey) ?? 0);
  }

  /** Takes the room's next event in. */
  heard(event: RoomEvent): void {
    if (event.kind !== "custom" || event.event.snapshotKey === undefined) return;
    const { snapshotKey } = event.event;
    this.#latest.delete(snapshotKey);
    if (event.event.data !== null) this.#latest.set(snapshotKey, event.event);
    this.#seqs.delete(snapshotKey);
    this.#seqs.set(snapshotKey, event.seq);
    const [oldest] = this.#seqs.keys();
    if (this.#seqs.size > MAX_KEYS && oldest !== undefined) this.#seqs.delete(oldest);
  }
}
