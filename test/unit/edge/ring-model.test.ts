import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { StoredEvent } from "../../../broker/broker.ts";
import type { Ring } from "../../../edge/ring.ts";
import { deletion, newRing, positions, stored } from "./stored.ts";

type Step =
  | { readonly kind: "message"; readonly size: number; readonly gap: number }
  | { readonly kind: "delete" | "read"; readonly back: number }
  | { readonly kind: "reset" };

/** Now and then so large that a few fill what is kept. */
const size = fc.oneof({ weight: 9, arbitrary: fc.nat(200) }, { weight: 1, arbitrary: fc.nat(200_000) });
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 30, arbitrary: fc.record({ kind: fc.constant("message" as const), size, gap: fc.nat(3) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("delete" as const), back: fc.nat(40) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("read" as const), back: fc.nat(60) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reset" as const) }) },
);

/** The log, and what was put into a ring of it. Seqs leave gaps, as other rooms have theirs. */
class Model {
  readonly ring: Ring;
  /** Oldest first, without what was deleted. */
  #log: StoredEvent[] = [];
  #end = 0;

  constructor(events: number) {
    this.ring = newRing({ events, capacity: 1024 * 1024 });
  }

  apply(step: Step): void {
    const back = "back" in step ? this.#log.at(-1 - step.back) : undefined;
    if (step.kind === "message") {
      this.#end += 1 + step.gap;
      this.#add(stored(this.#end, this.#lastSeq, { text: "x".repeat(step.size) }));
    } else if (step.kind === "reset") this.ring.reset(this.#end);
    else if (step.kind === "read" && back !== undefined) this.#prepend(back);
    else if (step.kind === "delete" && back?.event.body.case === "message") this.#delete(back.seq);
  }

  /** What the ring answers must be what the log says; it must have everything after `from`. */
  check(events: number): void {
    const { from } = this.ring;
    const there = this.#log.map(({ seq, prevSeq }) => [seq, prevSeq]);
    const shown = this.ring.after(from, 1_000);
    expect(shown).toBeDefined();
    const after = there.filter(([seq = 0]) => seq > from);
    expect(after.length).toBeLessThanOrEqual(events);
    const firstPage = positions(shown?.events ?? []);
    // The first may name an event before it that was deleted since: nobody is shown it who has not been there.
    if (firstPage[0] && after[0] && firstPage[0][1] <= from) after[0][1] = firstPage[0][1];
    expect(firstPage).toEqual(after.slice(0, firstPage.length));
    expect(shown?.hasMore).toBe(firstPage.length < after.length);
    expect(from === 0 ? undefined : this.ring.after(from - 1, 5)).toBeUndefined();
    const before = this.ring.before(undefined, 7);
    if (before === undefined) expect(after.length).toBeLessThan(7);
    else expect(positions(before.events)).toEqual(there.slice(there.length - before.events.length));
  }

  get #lastSeq(): number {
    return this.#log.at(-1)?.seq ?? 0;
  }

  #add(event: StoredEvent): void {
    this.#log.push(event);
    this.ring.push(event);
  }

  #delete(seq: number): void {
    const event = deletion(++this.#end, this.#lastSeq, seq);
    this.#add(event);
    const index = this.#log.findIndex((one) => one.seq === seq);
    const [removed] = this.#log.splice(index, 1);
    const next = this.#log[index];
    if (next && removed) this.#log[index] = { ...next, prevSeq: removed.prevSeq };
  }

  /** Reads the log from before an event on, as a join does. */
  #prepend(first: StoredEvent): void {
    const read = this.#log.filter(({ seq }) => seq >= first.seq);
    this.ring.prepend(first.seq - 1, read, first === this.#log[0]);
  }
}

describe("a ring, whatever happens", () => {
  it("answers what the log says, or nothing", () => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 150, size: "max" }), fc.integer({ min: 1, max: 40 }), (all, events) => {
        const model = new Model(events);
        for (const step of all) {
          model.apply(step);
          model.check(events);
        }
      }),
      { numRuns: 100 },
    );
  });
});
