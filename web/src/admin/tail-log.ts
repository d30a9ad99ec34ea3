import type { Event } from "../../../gen/baccarat/v1/event_pb.ts";

/** Events kept while following: older ones are read again when they are asked for. */
const MOST = 1_000;

/** What is shown of a room: its events in order, each once, and places where some may be missing. */
export class TailLog {
  #events: readonly Event[] = [];
  /** Seqs of events before which something may be missing. */
  readonly #gaps = new Set<bigint>();
  #gapNext = false;

  get events(): readonly Event[] {
    return this.#events;
  }

  /** True when something may be missing before this event. */
  hasGap({ seq }: Event): boolean {
    return this.#gaps.has(seq);
  }

  /** Adds what came after everything there is; what is known already is left out. Deletions also wipe what they delete. */
  append(events: readonly Event[]): void {
    const last = this.#events.at(-1)?.seq ?? 0n;
    const fresh = events.filter(({ seq }) => seq > last);
    const [first] = fresh;
    if (first !== undefined && this.#gapNext) {
      if (this.#events.length > 0) this.#gaps.add(first.seq);
      this.#gapNext = false;
    }
    this.#events = withoutDeleted([...this.#events, ...fresh]).slice(-MOST);
  }

  /** Adds what came before everything there is. */
  prepend(events: readonly Event[]): void {
    const first = this.#events[0]?.seq;
    const fresh = first === undefined ? events : events.filter(({ seq }) => seq < first);
    this.#events = withoutDeleted([...fresh, ...this.#events]);
  }

  /** From here on something may be missing: following began anew, elsewhere. */
  breakOff(): void {
    this.#gapNext = true;
  }
}

function withoutDeleted(events: readonly Event[]): readonly Event[] {
  const deleted = new Set(events.flatMap(({ body }) => (body.case === "deletion" ? [body.value.deletedSeq] : [])));
  return deleted.size === 0 ? events : events.filter(({ seq }) => !deleted.has(seq));
}
