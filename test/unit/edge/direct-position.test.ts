import { describe, expect, it } from "vitest";
import { least } from "../../../edge/direct-position.ts";
import { room } from "./stored.ts";

const at = (seq: number, ahead: Readonly<Record<string, number>> = {}) => ({
  seq,
  ahead: new Map(Object.entries(ahead).map(([id, given]) => [room(id), given])),
});
const [BOB, CYD] = ["direct:ann:bob", "direct:ann:cyd"];

describe("what several have in common", () => {
  it("is what the one has that has least, conversation by conversation", () => {
    expect(least([at(10), at(7)])).toEqual(at(7));
    expect(least([at(10), at(7, { [BOB]: 12 })])).toEqual(at(7, { [BOB]: 10 }));
    expect(least([at(7, { [BOB]: 12, [CYD]: 9 }), at(7, { [BOB]: 8 })])).toEqual(at(7, { [BOB]: 8 }));
    expect(least([at(9, { [BOB]: 12 }), at(7, { [BOB]: 20 }), at(8, { [BOB]: 11 })])).toEqual(at(7, { [BOB]: 11 }));
  });

  it("is not known when one is not, or there is nobody", () => {
    expect(least([at(10), undefined])).toBeUndefined();
    expect(least([])).toBeUndefined();
  });
});
