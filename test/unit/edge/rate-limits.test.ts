import { describe, expect, it } from "vitest";
import { RateLimits } from "../../../edge/rate-limits.ts";

const twoAtOnce = () => new RateLimits({ perSecond: 1, burst: 2, maxWaitMs: 0 });

describe("rate limits", () => {
  it("are of each key by itself", () => {
    const limits = twoAtOnce();
    expect(["a", "a", "a", "b"].map((key) => limits.take(key, 1_000))).toEqual([0, 0, undefined, 0]);
    expect([limits.waitMs("a", 1_000), limits.waitMs("b", 1_000), limits.waitMs("c", 1_000)]).toEqual([1_000, 0, 0]);
    expect(limits.take("a", 2_000)).toBe(0);
  });

  it("forget what has recovered, and nothing else", () => {
    const limits = twoAtOnce();
    for (let index = 0; index < 1_000; index++) limits.take(`old ${index}`, 0);
    limits.take("busy", 9_000);
    limits.take("busy", 9_000);
    expect(limits.size).toBe(1);
    expect(limits.take("busy", 9_000)).toBeUndefined();
  });
});
