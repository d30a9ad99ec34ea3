import { array, assert, boolean, integer, property, tuple } from "fast-check";
import { describe, expect, it } from "vitest";
import { excluding, type Few, findIn, including, listOf } from "../../../services/few.ts";

describe("few", () => {
  it("are those put in and not taken out since, in order", () => {
    const items = Array.from({ length: 5 }, (_, id) => ({ id }));
    const change = tuple(boolean(), integer({ min: 0, max: items.length - 1 }));
    assert(
      property(array(change, { maxLength: 20 }), (changes) => {
        let few: Few<{ id: number }>;
        let expected: { id: number }[] = [];
        for (const [adds, at] of changes) {
          const item = items[at] as { id: number };
          few = adds ? including(few, item) : excluding(few, item);
          expected = adds ? [...expected, item] : expected.filter((other) => other !== item);
          expect(listOf(few)).toEqual(expected);
          expect(findIn(few, (other) => other === item)).toBe(adds ? item : undefined);
        }
      }),
    );
  });

  it("are one as itself", () => {
    const [one, other] = [{}, {}];
    expect(including(undefined, one)).toBe(one);
    expect(excluding(including(one, other), other)).toBe(one);
    expect(excluding(one, one)).toBeUndefined();
  });
});
