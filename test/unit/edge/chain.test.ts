import { describe, expect, it } from "vitest";
import { succession } from "../../../edge/chain.ts";

describe("succession", () => {
  const cases: [string, number, number, number, ReturnType<typeof succession>][] = [
    ["the next event", 10, 12, 10, "next"],
    ["one whose predecessor is older than a position beyond the room's last event", 11, 12, 10, "next"],
    ["the first event of an empty log", 0, 1, 0, "next"],
    ["an event heard before", 12, 12, 10, "old"],
    ["an event before the position", 12, 11, 10, "old"],
    ["a hole", 10, 12, 11, "hole"],
    ["a hole right from the beginning", 0, 12, 11, "hole"],
    ["an unknown predecessor", 10, 12, 0, "unknown"],
  ];
  it.each(cases)("knows %s", (_what, last, seq, prevSeq, expected) => {
    expect(succession(last, { seq, prevSeq })).toBe(expected);
  });
});
