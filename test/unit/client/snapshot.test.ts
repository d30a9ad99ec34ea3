import { describe, expect, it } from "vitest";
import { Snapshot } from "../../../client/src/snapshot.ts";
import { readEvent } from "../../../client/src/wire.ts";

const frame = (seq: number, snapshot_key: string | undefined, data: unknown) => ({
  type: "table.state",
  payload: { room_id: "r", seq, prev_seq: seq - 1, sent: "", ...(snapshot_key && { snapshot_key }), data },
});

function open() {
  const snapshot = new Snapshot();
  const hear = (...args: Parameters<typeof frame>) => {
    const event = readEvent(frame(...args));
    if (event) snapshot.heard(event);
  };
  const shown = () => [...snapshot.latest].map(([key, { seq, data }]) => [key, seq, data]);
  return { snapshot, hear, shown };
}

describe("a room's snapshot", () => {
  it("is what the join gave, kept up to date by what is heard, in the order of the log", () => {
    const { snapshot, hear, shown } = open();
    snapshot.joined([frame(3, "shoe", 1), frame(5, "hand", { cards: [] })]);
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
    snapshot.joined([frame(3, "shoe", 1)]);
    snapshot.joined([frame(4, "hand", 2)]);
    expect(shown()).toEqual([["hand", 4, 2]]);
    snapshot.joined(undefined);
    expect(shown()).toEqual([]);
  });
});
