import type { CustomEvent, RoomEvent } from "./types.ts";
import { type Frame, readEvent } from "./wire.ts";

/** The latest event of each snapshot key of a room, in the order of their seqs. */
export class Snapshot {
  readonly #latest = new Map<string, CustomEvent>();

  get latest(): ReadonlyMap<string, CustomEvent> {
    return this.#latest;
  }

  /** Takes over what a join was answered: all there is. */
  joined(frames: readonly Frame[] = []): void {
    this.#latest.clear();
    for (const frame of frames) {
      const event = readEvent(frame);
      if (event) this.heard(event);
    }
  }

  /** Takes the room's next event in. */
  heard(event: RoomEvent): void {
    if (event.kind !== "custom" || event.event.snapshotKey === undefined) return;
    // Set anew, so that the order is that of the seqs.
    this.#latest.delete(event.event.snapshotKey);
    if (event.event.data !== null) this.#latest.set(event.event.snapshotKey, event.event);
  }
}
