import { describe, expect, it } from "vitest";
import { Snapshot } from "../../../client/src/snapshot.ts";
import { readEvent } from "../../../client/src/wire.ts";

const event = (seq: number, snapshot_key: string | undefined, data: unknown) => ({
  type: "table.state",
  payload: { room_id: "r", seq, prev_seq: seq - 1, sent: "", ...(snapshot_key && { snapshot_key }), data },
});

function read(...args: Parameters<typeof event>) {
  const found = readEvent(event(...args));
  if (found === undefined) throw new Error("that is no event");
  return found;
}

function open() {
  const snapshot = new Snapshot();
  const hear = (...args: Parameters<typeof event>) => snapshot.heard(read(...args));
  const shown = () => [...snapshot.latest].map(([key, { seq, data }]) => [key, seq, data]);
  return { snapshot, hear, shown };
}

describe("a room's snapshot", () => {
  it("is what the join gave, kept up to date by what is heard, in the order of the log", () => {
    const { snapshot, hear, shown } = open();
    snapshot.joined([read(3, "shoe", 1), read(5, "hand", { cards: [] })], 5);
    hear(6, "shoe", 2);
    hear(7, undefined, 3);
    expect(shown()).toEqual([
      ["hand", 5, { cards: [] }],
      ["shoe", 6, 2],
    ]);
    hear(8, "hand", null);
    hear(9, "zero", 0);
    expect(shown()).toEqual([
      ["shoe", 6, 2],
      ["zero", 9, 0],
    ]);
  });

  it("is what the latest join gave, and nothing of before", () => {
    const { snapshot, shown } = open();
    snapshot.joined([read(3, "shoe", 1)], 3);
    snapshot.joined([read(4, "hand", 2)], 4);
    expect(shown()).toEqual([["hand", 4, 2]]);
    snapshot.joined([], 5);
    expect(shown()).toEqual([]);
  });

  it("knows what is later than all it has of a key, though other events came before", () => {
    const { snapshot, hear } = open();
    snapshot.joined([read(3, "shoe", 1)], 6);
    expect([read(3, "shoe", 1), read(5, "gone", 1), read(9, undefined, 1)].map((one) => snapshot.isNews(one))).toEqual([
      false,
      false,
      false,
    ]);
    hear(9, "hand", null);
    expect([read(7, "shoe", 1), read(8, "hand", 1), read(10, "hand", 1)].map((one) => snapshot.isNews(one))).toEqual([
      true,
      false,
      true,
    ]);
  });
});
