import { assert, integer, property } from "fast-check";
import { describe, expect, it } from "vitest";
import type { Ring } from "../../../edge/ring.ts";
import { FIXED } from "../../../services/limits.ts";
import { deletion, newRing, positions, stored } from "./stored.ts";

const DAY_MS = 24 * 3_600_000;

function ringAt(seq: number, options?: Parameters<typeof newRing>[0]): Ring {
  const ring = newRing(options);
  ring.reset(seq);
  return ring;
}

function seqs(page: { events: readonly string[] } | undefined): number[] | undefined {
  return page && positions(page.events).map(([seq]) => seq);
}

describe("a ring", () => {
  it("has every event after the position it began at", () => {
    const ring = ringAt(10);
    for (const seq of [11, 13, 14]) ring.push(stored(seq, seq - 1));
    expect(seqs(ring.after(10, 10))).toEqual([11, 13, 14]);
    expect(seqs(ring.after(12, 10))).toEqual([13, 14]);
    expect(seqs(ring.after(14, 10))).toEqual([]);
    expect(ring.after(9, 10)).toBeUndefined();
  });

  it("forgets the oldest events, and says so", () => {
    const ring = ringAt(10);
    for (let seq = 11; seq <= 16; seq++) ring.push(stored(seq, seq - 1));
    expect(ring.from).toBe(12);
    expect(ring.after(11, 10)).toBeUndefined();
    expect(seqs(ring.after(12, 10))).toEqual([13, 14, 15, 16]);
  });

  it("knows when what came live came", () => {
    const ring = ringAt(12, { now: () => 1_700_000_000_000 });
    ring.push(stored(13, 12));
    ring.push(stored(15, 13));
    ring.prepend(10, [stored(11, 0), stored(12, 11)]);
    expect([11, 12, 13, 14, 15, 16].map((seq) => ring.heardAt(seq))).toEqual([
      undefined,
      undefined,
      1_700_000_000_000,
      undefined,
      1_700_000_000_000,
      undefined,
    ]);
    ring.push(deletion(17, 15, 13));
    expect(ring.heardAt(15)).toBe(1_700_000_000_000);
  });

  it("forgets by size too, the oldest mebibyte of all rooms at once", () => {
    const ring = ringAt(0, { events: 512, capacity: 2 * 1024 * 1024 });
    const text = "x".repeat(10_000);
    for (let seq = 1; seq <= 400; seq++) {
      ring.push(stored(seq, seq - 1, { text }));
      expect(seq - ring.from).toBeGreaterThanOrEqual(Math.min(seq, 95));
    }
    expect(ring.from).toBeGreaterThan(150);
    expect(ring.after(ring.from - 1, 10)).toBeUndefined();
    expect(seqs(ring.after(ring.from, 3))).toEqual([1, 2, 3].map((after) => ring.from + after));
  });

  it("keeps nothing of what is larger than that, and goes on behind it", () => {
    const ring = ringAt(0);
    ring.push(stored(1, 0));
    expect(ring.push(stored(2, 1, { text: "x".repeat(400_000) }))).toHaveLength(
      400_000 + ring.push(stored(3, 2)).length - 2,
    );
    expect(ring.from).toBe(2);
    expect(seqs(ring.after(2, 10))).toEqual([3]);
  });

  it("cuts pages at the limit, and says that there is more", () => {
    const ring = ringAt(10);
    for (const seq of [11, 12, 13]) ring.push(stored(seq, seq - 1));
    expect(ring.after(10, 2)).toMatchObject({ hasMore: true });
    expect(ring.after(10, 3)).toMatchObject({ hasMore: false });
    expect(seqs(ring.before(undefined, 2))).toEqual([12, 13]);
    expect(seqs(ring.before(13, 2))).toEqual([11, 12]);
    expect(ring.before(13, 3)).toBeUndefined();
    expect(ring.before(11, 1)).toBeUndefined();
  });

  it("cuts pages at the bytes a page may have", () => {
    const ring = ringAt(0);
    const text = "x".repeat(FIXED.historyBytes / 2 + 1);
    for (const seq of [1, 2, 3]) ring.push(stored(seq, seq - 1, { text }));
    expect(seqs(ring.after(0, 10))).toEqual([1]);
    expect(seqs(ring.before(undefined, 10))).toEqual([3]);
    expect(ring.before(undefined, 10)?.hasMore).toBe(true);
  });

  it("knows the beginning when it began there", () => {
    const ring = ringAt(0);
    ring.push(stored(1, 0));
    expect(ring.before(undefined, 50)).toMatchObject({ hasMore: false });
  });

  it("takes older events in front", () => {
    const ring = ringAt(10);
    ring.push(stored(12, 9));
    ring.prepend(4, [stored(5, 0), stored(9, 5), stored(12, 9)]);
    expect(seqs(ring.after(4, 10))).toEqual([5, 9, 12]);
    ring.prepend(0, [stored(3, 0), stored(5, 3)]);
    expect(seqs(ring.before(undefined, 50))).toEqual([3, 5, 9, 12]);
  });

  it("recovers from no position before its events, though history shows nothing there", () => {
    const ring = ringAt(10);
    ring.push(stored(12, 9));
    ring.prepend(4, [stored(5, 0), stored(9, 5)], true);
    expect(ring.before(undefined, 50)).toMatchObject({ hasMore: false });
    expect(ring.after(3, 50)).toBeUndefined();
    expect(seqs(ring.after(4, 50))).toEqual([5, 9, 12]);
    for (const seq of [13, 14]) ring.push(stored(seq, seq - 1));
    expect(ring.before(undefined, 50)).toBeUndefined();
  });

  it("takes a deleted event out, and leaves no hole behind", () => {
    const ring = ringAt(10);
    for (const seq of [11, 12, 13]) ring.push(stored(seq, seq - 1));
    ring.push(deletion(14, 13, 12));
    expect(positions(ring.after(10, 10)?.events ?? [])).toEqual([
      [11, 10],
      [13, 11],
      [14, 13],
    ]);
  });

  it("takes a deleted event out whose deletion comes right after it", () => {
    const ring = ringAt(10);
    ring.push(stored(11, 10));
    ring.push(stored(12, 11));
    ring.push(deletion(13, 12, 12));
    expect(positions(ring.after(10, 10)?.events ?? [])).toEqual([
      [11, 10],
      [13, 11],
    ]);
  });

  it("does not show what is older than history shows", () => {
    const ring = ringAt(10);
    ring.push(stored(11, 10, { sentMs: Date.now() - DAY_MS }));
    ring.push(stored(12, 11));
    expect(ring.after(10, 10)).toBeUndefined();
    expect(seqs(ring.after(11, 10))).toEqual([12]);
  });

  it("answers exactly what was pushed, or nothing", () => {
    assert(
      property(
        integer({ min: 1, max: 30 }),
        integer({ min: 0, max: 90 }),
        integer({ min: 0, max: 95 }),
        integer({ min: 1, max: 40 }),
        (events, count, since, limit) => {
          const ring = ringAt(0, { events });
          const all = Array.from({ length: count }, (_, index) => index + 1);
          for (const seq of all) ring.push(stored(seq, seq - 1));
          const after = seqs(ring.after(since, limit));
          if (after) expect(after).toEqual(all.filter((seq) => seq > since).slice(0, limit));
          else expect(since).toBeLessThan(count - events);
          const before = seqs(ring.before(since + 1, limit));
          if (before) expect(before).toEqual(all.filter((seq) => seq <= since).slice(-limit));
          else expect(Math.min(since, count) - limit).toBeLessThan(count - events);
          expect(all.filter((seq) => ring.heardAt(seq) !== undefined)).toEqual(all.slice(-events));
        },
      ),
    );
  });

  it("answers the same after older events were put in front of what it had forgotten some of", () => {
    const ring = ringAt(0, { events: 20 });
    for (let seq = 1; seq <= 21; seq++) ring.push(stored(seq, seq - 1));
    ring.prepend(0, [stored(1, 0)]);
    expect(ring.from).toBe(1);
    expect(seqs(ring.after(1, 30))).toEqual(Array.from({ length: 20 }, (_, index) => index + 2));
    expect(ring.before(2, 1)).toBeUndefined();
  });
});
