import type { CustomEvent, RoomEvent } from "../../client/src/types.ts";
import { ServerClock } from "./table-clock.ts";
import { readTableEvent } from "./table-events.ts";
import { fold, type TableState } from "./table-fold.ts";
import { Guesses } from "./table-guesses.ts";

/** The table of a room, if it has one: follows the room's events, of which it takes those of a table. */
export class Table {
  readonly clock = new ServerClock({ ticks: () => performance.now(), local: () => Date.now() });
  readonly guesses = new Guesses();
  /** True when the user put the table away. */
  collapsed = false;
  #state: TableState | undefined;
  #seq = 0;

  /** What is on it; undefined in a room without one. */
  get state(): TableState | undefined {
    return this.#state;
  }

  /** Begins anew, with a room's snapshot and its latest events. */
  begin(snapshot: Iterable<CustomEvent>, events: readonly RoomEvent[]): void {
    this.#state = undefined;
    this.#seq = 0;
    const latest = [...snapshot].map((event): RoomEvent => ({ kind: "custom", seq: event.seq, event }));
    for (const event of [...latest, ...events].sort((a, b) => a.seq - b.seq)) this.take(event);
  }

  /** True when an event is a table's, and so not part of the talk. One that comes late or again changes nothing. */
  take(event: RoomEvent): boolean {
    if (event.kind !== "custom") return false;
    const read = readTableEvent(event.event.type, event.event.data);
    if (read === undefined) return false;
    if (event.seq <= this.#seq) return true;
    this.#seq = event.seq;
    this.#state = fold(this.#state, read, Date.parse(event.event.sent));
    this.guesses.follow(this.#state);
    return true;
  }
}
