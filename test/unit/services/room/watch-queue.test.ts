import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../../../gen/baccarat/v1/event_pb.ts";
import { WatchQueue } from "../../../../services/room/watch-queue.ts";
import { PATIENCE_MS, within } from "../../../support/eventually.ts";

const ALL = { events: 100, bytes: 1_000_000 };
const item = (seq: number, bytes = 10) => ({ seq, bytes, event: create(EventSchema, { seq: BigInt(seq) }) });
const seqs = (items: readonly { seq: number }[]) => items.map(({ seq }) => seq);

describe("WatchQueue", () => {
  it("gives what was pushed, in order, by both bounds, and one item at least", () => {
    const queue = new WatchQueue(ALL);
    for (let seq = 1; seq <= 6; seq++) expect(queue.push(item(seq, 10))).toBe(true);
    expect(seqs(queue.take({ events: 2, bytes: 1_000 }))).toEqual([1, 2]);
    expect(seqs(queue.take({ events: 10, bytes: 25 }))).toEqual([3, 4]);
    expect(seqs(queue.take({ events: 10, bytes: 1 }))).toEqual([5]);
    expect(queue.isEmpty).toBe(false);
    expect(seqs(queue.take(ALL))).toEqual([6]);
    expect(queue.isEmpty).toBe(true);
    expect(queue.take(ALL)).toEqual([]);
  });

  it("takes in what it can hold, and gives up everything with one more", () => {
    for (const limits of [
      { events: 3, bytes: 1_000 },
      { events: 1_000, bytes: 30 },
    ]) {
      const queue = new WatchQueue(limits);
      for (let seq = 1; seq <= 3; seq++) expect(queue.push(item(seq))).toBe(true);
      expect(queue.overflowed).toBe(false);
      expect(queue.push(item(4))).toBe(false);
      expect(queue.overflowed).toBe(true);
      expect(queue.take(ALL)).toEqual([]);
      expect(queue.push(item(5))).toBe(true);
      expect(queue.isEmpty).toBe(true);
    }
  });

  it("has room again for what was taken", () => {
    const queue = new WatchQueue({ events: 3, bytes: 30 });
    for (let seq = 1; seq <= 30; seq++) {
      expect(queue.push(item(seq))).toBe(true);
      if (seq % 3 === 0) expect(queue.take(ALL)).toHaveLength(3);
    }
  });

  it("leaves out what it is to skip, whether it waits already or comes later", () => {
    const queue = new WatchQueue({ events: 4, bytes: 40 });
    for (const seq of [1, 2, 3]) queue.push(item(seq));
    queue.skipTo(2);
    for (const seq of [1, 2, 4, 5, 6]) expect(queue.push(item(seq))).toBe(true);
    expect(seqs(queue.take(ALL))).toEqual([3, 4, 5, 6]);
  });

  it("wakes who waits for an item, for the end and for the time, and whoever comes late", async () => {
    const queue = new WatchQueue(ALL);
    const woken = (wait: Promise<void>) => within(PATIENCE_MS, "the queue to wake", wait);
    const first = queue.wait(3_600_000);
    queue.push(item(1));
    await woken(first);
    await woken(queue.wait(3_600_000));
    queue.take(ALL);
    await woken(queue.wait(1));
    const end = queue.wait(3_600_000);
    queue.end();
    await woken(end);
    await woken(queue.wait(3_600_000));
  });

  it("takes in nothing after its end, and throws what it was ended with first", () => {
    const queue = new WatchQueue(ALL);
    queue.push(item(1));
    queue.end(new Error("first"));
    queue.end(new Error("second"));
    expect(queue.push(item(2))).toBe(true);
    expect(queue.isEmpty).toBe(true);
    expect(queue.ended).toBe(true);
    expect(() => queue.take(ALL)).toThrow("first");
    const quiet = new WatchQueue(ALL);
    quiet.end();
    expect(quiet.take(ALL)).toEqual([]);
  });
});
