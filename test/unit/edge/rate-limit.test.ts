import { array, assert, integer, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { RateLimit } from "../../../edge/rate-limit.ts";

const tenPerSecond = () => new RateLimit({ perSecond: 10, burst: 3, maxWaitMs: 250 });

describe("a rate limit", () => {
  it("lets a burst through at once, then one token at a time", () => {
    const limit = tenPerSecond();
    expect([1, 2, 3, 4, 5].map(() => limit.take(1_000))).toEqual([0, 0, 0, 100, 200]);
  });

  it("refuses what would wait too long, without making others wait longer", () => {
    const limit = tenPerSecond();
    for (let n = 0; n < 5; n++) limit.take(1_000);
    expect(limit.take(1_000)).toBeUndefined();
    expect(limit.take(1_000)).toBeUndefined();
    expect(limit.waitMs(1_000)).toBe(300);
    expect(limit.take(1_100)).toBe(200);
  });

  it("is full again after a rest", () => {
    const limit = tenPerSecond();
    for (let n = 0; n < 3; n++) limit.take(1_000);
    expect(limit.isFull(1_299)).toBe(false);
    expect(limit.isFull(1_300)).toBe(true);
    expect([1, 2, 3].map(() => limit.take(1_300))).toEqual([0, 0, 0]);
  });

  it("never starts more than burst + rate × time", () => {
    assert(
      property(array(integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 100 }), (gaps) => {
        const limit = tenPerSecond();
        let now = 0;
        const starts: number[] = [];
        for (const gap of gaps) {
          now += gap;
          const waitMs = limit.take(now);
          if (waitMs !== undefined) starts.push(now + waitMs);
        }
        for (const [first, from] of starts.entries()) {
          for (const [count, to] of starts.slice(first).entries()) {
            expect(count + 1).toBeLessThanOrEqual(3 + Math.floor((to - from + 0.001) / 100));
          }
        }
      }),
    );
  });
});
