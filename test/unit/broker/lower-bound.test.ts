import { describe, expect, it } from "vitest";
import { lowerBound } from "../../../broker/lower-bound.ts";

describe("lowerBound", () => {
  it("finds the first element that is not smaller", () => {
    const sorted = [2, 4, 4, 8];
    expect([0, 2, 3, 4, 5, 8, 9].map((value) => lowerBound(sorted, value))).toEqual([0, 0, 1, 1, 3, 3, 4]);
    expect(lowerBound([], 1)).toBe(0);
  });
});
