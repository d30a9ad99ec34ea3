import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Entry, Timeline } from "../../../web/src/timeline.ts";
import { custom, deletion, message, SELF } from "./events.ts";

const ann = { uid: "u-ann", username: "ann" };
const bob = { uid: "u-bob", username: "bob" };

describe("a timeline", () => {
  it("has every event once and in order, whatever way and how often it came", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(60), { minLength: 1 }), fc.array(fc.nat(60)), (seqs, again) => {
        const timeline = new Timeline();
        const known = new Set(seqs);
        for (const seq of seqs) expect(timeline.add(message(seq + 1, "x"))).toBe(true);
        for (const seq of again.filter((one) => known.has(one))) timeline.add(message(seq + 1, "x"));
        expect(shown(timeline)).toEqual([...known].sort((a, b) => a - b).map((seq) => `${seq + 1} x`));
      }),
    );
  });

  it("puts older pages before what is there, and says which events were new", () => {
    const timeline = new Timeline();
    timeline.replace([message(5, "e"), message(6, "f")], true);
    expect(timeline.hasOlder).toBe(true);
    const added = timeline.addOlder([message(3, "c"), custom(4, {}), message(5, "e")], false);
    expect(added.map(({ seq }) => seq)).toEqual([3, 4]);
    expect(shown(timeline)).toEqual(["3 c", "4 table.result", "5 e", "6 f"]);
    expect([timeline.hasOlder, timeline.oldestSeq]).toEqual([false, 3]);
  });

  it("takes in the latest page behind what is there, or instead of it when there is a hole between them", () => {
    const timeline = new Timeline();
    timeline.addOlder([message(2, "b"), message(3, "c")], true);
    expect(timeline.addLatest([message(3, "c"), message(5, "e")], true).map(({ seq }) => seq)).toEqual([5]);
    expect(shown(timeline)).toEqual(["2 b", "3 c", "5 e"]);
    expect(timeline.addLatest([message(8, "h"), message(9, "i")], true).map(({ seq }) => seq)).toEqual([8, 9]);
    expect(shown(timeline)).toEqual(["8 h", "9 i"]);
    expect(timeline.addLatest([message(1, "a"), message(9, "i"), message(12, "l")], false)).toHaveLength(2);
    expect(shown(timeline)).toEqual(["1 a", "8 h", "9 i", "12 l"]);
  });

  it("shows a deleted message as deleted, also when it comes after its deletion", () => {
    const timeline = new Timeline();
    timeline.add(message(1, "one"));
    expect(timeline.add(deletion(3, 1))).toBe(true);
    expect(timeline.add(deletion(3, 1))).toBe(false);
    timeline.add(deletion(4, 2));
    timeline.addOlder([message(2, "two")], false);
    expect(shown(timeline)).toEqual(["1 deleted", "2 deleted"]);
  });

  it("shows one's own message at once, and once, whether its echo or its answer is first", () => {
    const timeline = new Timeline();
    timeline.sending("k1", "hello", undefined, 0);
    timeline.add(message(7, "others"));
    expect(shown(timeline)).toEqual(["7 others", "… hello"]);
    expect(timeline.add(message(6, "hello", { uid: SELF, clientMsgId: "k1" }))).toBe(true);
    expect(timeline.add(message(6, "hello", { uid: SELF, clientMsgId: "k1" }))).toBe(false);
    expect(shown(timeline)).toEqual(["6 hello", "7 others"]);
  });

  it("keeps a refused message for another try, until it is discarded", () => {
    const timeline = new Timeline();
    timeline.sending("k1", "hello", "https://example.com/a.png", 0);
    timeline.failed("k1", "You are muted here.");
    timeline.failed("nobody", "ignored");
    expect(timeline.outgoing("k1")).toMatchObject({
      failed: "You are muted here.",
      imageUrl: "https://example.com/a.png",
    });
    timeline.sending("k1", "hello", undefined, 1);
    expect(timeline.outgoing("k1")).toMatchObject({ failed: undefined });
    timeline.discard("k1");
    expect(timeline.entries()).toEqual([]);
  });

  it("starts over with what it is given, and keeps what is being sent", () => {
    const timeline = new Timeline();
    timeline.add(message(100, "of a log that is gone"));
    timeline.presence({ count: 2, joined: [bob], left: [] }, 0);
    timeline.sending("k1", "mine", undefined, 0);
    timeline.replace([message(1, "new log")], false);
    timeline.note("It was started anew.");
    expect(shown(timeline)).toEqual(["1 new log", "It was started anew.", "… mine"]);
  });

  it("drops the oldest when it holds too much, and knows that they can be had again", () => {
    const timeline = new Timeline();
    for (let seq = 1; seq <= 20; seq++) {
      timeline.add(message(seq, "x"));
      timeline.presence({ count: 1, joined: [{ uid: `u-${seq}`, username: `${seq}` }], left: [] }, seq * 100_000);
    }
    timeline.trim(5);
    expect([timeline.size, timeline.oldestSeq, timeline.hasOlder]).toEqual([5, 16, true]);
    expect(timeline.entries().filter(({ kind }) => kind === "presence")).toHaveLength(5);
    timeline.trim(5);
    expect(timeline.size).toBe(5);
  });

  it("marks what was missed", () => {
    const timeline = new Timeline();
    for (const seq of [1, 2, 3]) timeline.add(message(seq, "x"));
    timeline.markMissed(new Set([2, 3]), 1);
    expect(timeline.entries().map((entry) => ("gap" in entry ? entry.gap : undefined))).toEqual([0, 1, 1]);
  });

  describe("comings and goings", () => {
    it("stand where they happened", () => {
      const timeline = new Timeline();
      timeline.add(message(5, "before"));
      timeline.presence({ count: 2, joined: [bob], left: [] }, 0);
      timeline.add(message(9, "after"));
      timeline.addOlder([message(2, "long before")], false);
      expect(shown(timeline)).toEqual(["2 long before", "5 before", "+bob -", "9 after"]);
    });

    it("share a line when nothing was said between them, and cancel out", () => {
      const timeline = new Timeline();
      timeline.presence({ count: 2, joined: [ann], left: [] }, 0);
      timeline.presence({ count: 3, joined: [bob], left: [] }, 1_000);
      expect(shown(timeline)).toEqual(["+ann,bob -"]);
      timeline.presence({ count: 2, joined: [], left: [ann] }, 2_000);
      expect(shown(timeline)).toEqual(["+bob -"]);
      timeline.presence({ count: 1, joined: [], left: [bob] }, 3_000);
      expect(shown(timeline)).toEqual([]);
      timeline.presence({ count: 1, joined: [], left: [] }, 4_000);
      expect(shown(timeline)).toEqual([]);
    });

    it("have lines of their own when they are far apart", () => {
      const timeline = new Timeline();
      timeline.presence({ count: 2, joined: [ann], left: [] }, 0);
      timeline.presence({ count: 1, joined: [], left: [ann] }, 120_000);
      expect(shown(timeline)).toEqual(["+ann -", "+ -ann"]);
    });
  });
});

function shown(timeline: Timeline): string[] {
  return timeline.entries().map(describeEntry);
}

function describeEntry(entry: Entry): string {
  const names = (members: readonly { readonly username: string }[]): string =>
    members.map(({ username }) => username).join();
  switch (entry.kind) {
    case "message":
      return `${entry.seq} ${entry.deleted ? "deleted" : entry.message.message}`;
    case "custom":
      return `${entry.seq} ${entry.event.type}`;
    case "presence":
      return `+${names(entry.joined)} -${names(entry.left)}`;
    case "note":
      return entry.text;
    case "outgoing":
      return `… ${entry.text}`;
  }
}
