import { describe, expect, it } from "vitest";
import { ReadMark } from "../../../web/src/read-mark.ts";

describe("a read mark", () => {
  it("counts what others wrote after the place up to which was read", () => {
    const mark = new ReadMark(10);
    for (const seq of [9, 10, 11, 12]) mark.heard(seq, true);
    mark.heard(13, false);
    expect([mark.unread, mark.firstUnread, mark.seq]).toEqual([2, 11, 10]);
  });

  it("has read everything, one's own and deletions too, when it is read", () => {
    const mark = new ReadMark(10);
    mark.heard(11, true);
    mark.heard(12, false);
    mark.read();
    expect([mark.unread, mark.seq]).toEqual([0, 12]);
  });

  it("remembers where new messages began until the reader goes elsewhere", () => {
    const mark = new ReadMark(0);
    mark.heard(5, true);
    mark.read();
    expect(mark.firstUnread).toBe(5);
    mark.settle();
    expect(mark.firstUnread).toBeUndefined();
    mark.heard(6, true);
    mark.settle();
    expect(mark.firstUnread).toBe(6);
  });

  it("begins a room that was never open at its end, and one that was where it was left", () => {
    const [never, left] = [new ReadMark(), new ReadMark(3)];
    for (const mark of [never, left]) {
      mark.heard(7, false);
      mark.begin();
    }
    expect([never.seq, left.seq]).toEqual([7, 3]);
  });

  it("knows nothing of a log that was started anew", () => {
    const mark = new ReadMark(1_000);
    mark.reset();
    mark.heard(1, true);
    expect([mark.unread, mark.firstUnread]).toEqual([1, 1]);
  });
});
