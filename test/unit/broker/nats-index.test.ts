import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RoomIndex } from "../../../broker/nats-index.ts";

function indexOf(options: { maxMessages?: number; first?: number; from?: number } = {}): RoomIndex {
  const index = new RoomIndex({ maxMessages: options.maxMessages ?? 10 });
  const first = options.first ?? 1;
  index.begin(first, options.from ?? first);
  return index;
}

describe("RoomIndex", () => {
  it("shows a room's events and nothing of others", () => {
    const index = indexOf();
    for (const [subject, seq] of [
      ["a", 1],
      ["b", 2],
      ["a", 3],
    ] as const)
      index.add(subject, seq);
    index.settle(1);
    expect(index.window("a")).toEqual({ seqs: [1, 3], floor: 0 });
    expect(index.window("b")).toEqual({ seqs: [2], floor: 0 });
    expect(index.window("never")).toEqual({ seqs: [], floor: 0 });
  });

  it("shows the latest maxMessages, and the one before them is the floor", () => {
    const index = indexOf({ maxMessages: 3 });
    for (let seq = 1; seq <= 5; seq++) index.add("a", seq);
    index.settle(1);
    expect(index.window("a")).toEqual({ seqs: [3, 4, 5], floor: 2 });
  });

  it("takes a deletion for no loss, at the log's beginning too", () => {
    const index = indexOf();
    for (let seq = 1; seq <= 3; seq++) index.add("a", seq);
    expect(index.delete("a", 1)).toBe(true);
    expect(index.delete("a", 1)).toBe(false);
    index.settle(2);
    expect(index.window("a")).toEqual({ seqs: [2, 3], floor: 0 });
  });

  it("takes what retention dropped for a loss of its room alone", () => {
    const index = indexOf();
    for (const [subject, seq] of [
      ["a", 1],
      ["b", 2],
      ["a", 3],
      ["b", 4],
    ] as const)
      index.add(subject, seq);
    index.settle(3);
    expect(index.window("a")).toEqual({ seqs: [3], floor: 1 });
    expect(index.window("b")).toEqual({ seqs: [4], floor: 2 });
    expect(index.window("c").floor).toBe(0);
  });

  it("takes what was gone before it began for a loss of any room, unless a deletion explains it", () => {
    const dropped = indexOf({ first: 5 });
    dropped.add("a", 5);
    dropped.settle(5);
    expect(dropped.window("a").floor).toBe(4);
    expect(dropped.window("b").floor).toBe(4);

    const deleted = indexOf({ first: 3 });
    deleted.add("a", 3);
    deleted.delete("a", 2);
    deleted.add("a", 4);
    deleted.delete("a", 1);
    deleted.settle(3);
    expect(deleted.window("a").floor).toBe(0);

    const both = indexOf({ first: 4 });
    both.add("a", 4);
    both.delete("a", 3);
    both.settle(4);
    expect(both.window("a").floor).toBe(2);
  });

  it("takes events that retention dropped before they could be added for a loss of any room", () => {
    const index = indexOf();
    index.add("a", 1);
    index.add("a", 9);
    index.settle(8);
    expect(index.window("a").floor).toBe(7);
    expect(index.window("b").floor).toBe(7);
  });

  it("takes a log that is empty now for one that lost everything up to its end", () => {
    const index = indexOf();
    index.add("a", 1);
    index.settle(4);
    expect(index.window("a").floor).toBe(3);
  });

  it("ignores gaps in the middle: retention takes from the beginning only", () => {
    const index = indexOf();
    index.add("a", 1);
    index.add("a", 9);
    index.settle(1);
    index.settle(9);
    expect(index.window("a")).toEqual({ seqs: [9], floor: 1 });
  });

  it("does not judge a gap by what was told of the log before the gap was found", () => {
    const index = indexOf();
    index.add("a", 1);
    const early = index.mark();
    index.add("a", 9);
    index.settle(1, early);
    index.settle(9);
    expect(index.window("b").floor).toBe(8);
  });

  it("ignores a deletion that names an event to come", () => {
    const index = indexOf();
    index.add("a", 1);
    index.delete("a", 3);
    index.add("a", 9);
    index.settle(9);
    expect(index.window("a").floor).toBe(8);
  });

  it("needs older events of a room only while the log was not added whole and what is known is not enough", () => {
    const index = indexOf({ first: 1, from: 100, maxMessages: 2 });
    expect(index.isComplete("a")).toBe(false);
    index.add("a", 100);
    index.settle(1);
    expect(index.isComplete("a")).toBe(false);
    index.fill("a", [7, 9, 100]);
    expect(index.isComplete("a")).toBe(true);
    expect(index.window("a")).toEqual({ seqs: [9, 100], floor: 7 });
    for (const seq of [101, 102, 103]) index.add("b", seq);
    expect(index.isComplete("b")).toBe(true);
    index.settle(101);
    expect(index.isComplete("c")).toBe(true);
    expect(index.window("c").floor).toBe(99);
  });

  it("cannot tell a trimmed room that shows more than trimming left, and so hides its oldest event", () => {
    const index = indexOf({ maxMessages: 10 });
    for (let seq = 1; seq <= 4; seq++) index.add("a", seq);
    index.add("b", 5);
    index.settle(1);
    index.trimmedTo(3);
    expect(index.window("a")).toEqual({ seqs: [2, 3, 4], floor: 1 });
    expect(index.window("b")).toEqual({ seqs: [5], floor: 0 });
  });

  it("names every event of a crowded room that nobody is shown any more, once", () => {
    const forgotten: number[] = [];
    const index = new RoomIndex({ maxMessages: 5, onForgotten: (seqs) => forgotten.push(...seqs) });
    index.begin(1, 1);
    for (let seq = 1; seq <= 100; seq++) index.add("a", seq);
    const { seqs, floor } = index.window("a");
    expect([seqs, floor]).toEqual([[96, 97, 98, 99, 100], 95]);
    expect(forgotten).toEqual(Array.from({ length: forgotten.length }, (_, position) => position + 1));
    expect(forgotten.length).toBeGreaterThan(70);
    expect(Math.max(...forgotten)).toBeLessThan(95);
  });

  it("forgets empty rooms once they are very many, and then knows less of all", () => {
    const index = indexOf();
    for (let seq = 1; seq <= 100_001; seq++) index.add(`room${seq}`, seq);
    index.settle(100_002);
    expect(index.window("room7").floor).toBe(7);
    index.sweep();
    expect(index.window("room7").floor).toBe(100_001);
  });

  it("agrees with a log that is looked at as a whole", () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ op: fc.constant("add" as const), room: fc.integer({ min: 0, max: 3 }) }) },
      { weight: 2, arbitrary: fc.record({ op: fc.constant("delete" as const), pick: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ op: fc.constant("drop" as const), pick: fc.nat({ max: 5 }) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 6 }), (steps, maxMessages) => {
        const index = new RoomIndex({ maxMessages });
        index.begin(1, 1);
        const stored: { seq: number; room: string }[] = [];
        const floors = new Map<string, number>();
        let end = 0;
        const append = (room: string): void => {
          stored.push({ seq: ++end, room });
          index.add(room, end);
        };
        for (const action of steps) {
          if (action.op === "add") append(`room${action.room}`);
          if (action.op === "delete" && stored.length > 0) {
            const [gone] = stored.splice(action.pick % stored.length, 1);
            append(gone?.room ?? "");
            index.delete(gone?.room ?? "", gone?.seq ?? 0);
          }
          if (action.op === "drop") for (const { seq, room } of stored.splice(0, action.pick)) floors.set(room, seq);
          index.settle(stored[0]?.seq ?? end + 1);
          for (const room of ["room0", "room1", "room2", "room3"]) {
            const seqs = stored.filter((event) => event.room === room).map(({ seq }) => seq);
            const hidden = seqs.at(-maxMessages - 1) ?? 0;
            const floor = Math.max(hidden, floors.get(room) ?? 0);
            if (hidden > 0) floors.set(room, floor);
            const shown = seqs.filter((seq) => seq > floor);
            expect(index.window(room)).toEqual({ seqs: shown, floor });
          }
        }
      }),
    );
  });
});
