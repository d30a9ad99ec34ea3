import { describe, expect, it } from "vitest";
import { interleave, median, medianOf, paced, quantile } from "../../../bench/measure.ts";
import type { Server } from "../../../bench/servers.ts";

describe("a median", () => {
  it("is the middle, the lower one of two, and no number of none", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2);
    expect(median([])).toBeNaN();
  });

  it("is one of the quantiles", () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(quantile(values, 0.99)).toBe(99);
    expect(quantile(values, 0.5)).toBe(50);
    expect(quantile([7], 0.99)).toBe(7);
  });
});

describe("servers that are measured in turn", () => {
  it("each have one turn in every round", async () => {
    const turns: string[] = [];
    const rounds = await interleave([idle("a"), idle("b")], 2, async ({ name }, round) => {
      turns.push(`${name}${round}`);
      return round + 1;
    });
    expect(turns).toEqual(["a0", "b0", "a1", "b1"]);
    expect(medianOf(rounds, "a", (value) => value)).toBe(1);
  });
});

describe("a pace", () => {
  it.each(["even", "random"] as const)("of %s arrivals is kept, whatever the timer does", async (arrivals) => {
    const due: number[] = [];
    const start = performance.now();
    await paced({ perSecond: 1_000, seconds: 0.2, arrivals }, (at) => due.push(at));
    expect(due.length).toBeGreaterThan(100);
    expect(due.length).toBeLessThan(300);
    expect(due).toEqual([...due].sort((a, b) => a - b));
    expect(Math.max(...due)).toBeLessThan(start + 250);
  });
});

/** A server that has nothing to do. */
function idle(name: string): Server {
  return {
    name,
    port: 0,
    pid: 0,
    enter: () => ({ path: "/" }),
    say: () => "",
    cpu: () => ({ user: 1, system: 1 }),
    rss: () => 0,
    stop: () => Promise.resolve(),
  };
}
