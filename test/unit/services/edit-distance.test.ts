import { assert, property, string } from "fast-check";
import { describe, expect, it } from "vitest";
import { editDistance } from "../../../services/edit-distance.ts";

describe("editDistance", () => {
  it.each([
    ["", "", 0],
    ["", "abc", 3],
    ["kitten", "sitting", 3],
    ["EDGE_PROT", "EDGE_PORT", 2],
    ["flaw", "lawn", 2],
  ])("%j to %j is %i", (from, to, distance) => expect(editDistance(from, to)).toBe(distance));

  it("is symmetric, 0 only for equals, and at most the longer length", () => {
    const ascii = string({ unit: "grapheme-ascii", maxLength: 12 });
    assert(
      property(ascii, ascii, (a, b) => {
        const distance = editDistance(a, b);
        expect(distance).toBe(editDistance(b, a));
        expect(distance === 0).toBe(a === b);
        expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
  });
});
