import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { spread } from "../../../edge/spread.ts";

describe("delays", () => {
  it("have a slot each, so that any tenth of the time sees about a tenth of the clients", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2_000 }), fc.integer({ min: 1_000, max: 60_000 }), (count, withinMs) => {
        const delays = spread(count, withinMs);
        expect(delays).toHaveLength(count);
        for (const [index, delay] of delays.entries()) {
          expect(delay).toBeGreaterThanOrEqual(Math.floor((index / count) * withinMs));
          expect(delay).toBeLessThanOrEqual(((index + 1) / count) * withinMs);
        }
      }),
    );
  });

  it("of nobody are none", () => {
    expect(spread(0, 1_000)).toEqual([]);
  });
});
