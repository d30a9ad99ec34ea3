import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import type { StoredEvent } from "../../../broker/broker.ts";
import { encodeEvent } from "../../../edge/frame-encoders.ts";
import { RoomSnapshot } from "../../../edge/room-snapshot.ts";
import { EventSchema } from "../../../gen/baccarat/v1/event_pb.ts";
import { room, stored } from "./stored.ts";

function custom(seq: number, snapshotKey: string, dataJson = "1"): StoredEvent {
  const body = { case: "customEvent", value: { type: "a.b", dataJson, snapshotKey } } as const;
  const event = create(EventSchema, { roomId: "r", sent: timestampFromMs(0), body });
  return { room: room("r"), seq, prevSeq: seq - 1, event };
}

/** A snapshot that hears events, and the seqs it answers a join with. */
function open() {
  const snapshot = new RoomSnapshot({ epoch: "e" });
  let heard = 10;
  const hear = (...events: StoredEvent[]) => {
    for (const event of events) {
      snapshot.hear(event, encodeEvent(event, "e"));
      heard = event.seq;
    }
  };
  const answer = (given: StoredEvent[] | undefined, seq = heard) =>
    snapshot.answer(given, seq, heard).map((json) => (JSON.parse(json) as { payload: { seq: number } }).payload.seq);
  return { snapshot, hear, answer };
}

describe("a room's snapshot at an edge", () => {
  it("is what was there before, and what was heard since", () => {
    const { snapshot, hear, answer } = open();
    hear(custom(11, "new"), stored(12, 11), custom(13, ""));
    expect(snapshot.known).toBe(false);
    expect(answer([custom(5, "old"), custom(6, "new")])).toEqual([5, 11]);
    expect(snapshot.known).toBe(true);
    hear(custom(14, "old"));
    expect(answer(undefined)).toEqual([11, 14]);
    hear(custom(15, "new", "null"));
    expect(answer(undefined)).toEqual([14]);
  });

  it("is empty when nothing was ever kept", () => {
    const { answer, hear } = open();
    expect(answer(undefined)).toEqual([]);
    hear(custom(11, "k"));
    expect(answer(undefined)).toEqual([11]);
  });

  it("does not revive a key that was cleared before the answer came", () => {
    const { hear, answer } = open();
    hear(custom(11, "a", "null"), custom(12, "b", "null"));
    expect(answer([custom(5, "a"), custom(6, "b"), custom(7, "c")])).toEqual([7]);
  });

  it("is as of the answer's position for a newcomer that is ahead of what was heard", () => {
    const { hear, answer } = open();
    expect(answer([custom(5, "a"), custom(6, "b")])).toEqual([5, 6]);
    expect(answer([custom(6, "b"), custom(12, "a")], 12)).toEqual([6, 12]);
    // Nothing was added to what the others know: that comes as the room's next events.
    expect(answer([custom(6, "b"), custom(12, "a")], 10)).toEqual([5, 6]);
    expect(answer(undefined, 12)).toEqual([5, 6]);
    hear(custom(12, "a"));
    expect(answer(undefined)).toEqual([6, 12]);
  });

  it("takes over of the first answer no more than was heard", () => {
    const { hear, answer } = open();
    expect(answer([custom(5, "a"), custom(12, "b")], 12)).toEqual([5, 12]);
    expect(answer(undefined)).toEqual([5]);
    hear(custom(12, "b"));
    expect(answer(undefined)).toEqual([5, 12]);
  });

  it("has to be asked for again once it was forgotten", () => {
    const { snapshot, hear, answer } = open();
    expect(answer([custom(5, "a")])).toEqual([5]);
    const { generation } = snapshot;
    snapshot.forget();
    expect(snapshot.known).toBe(false);
    expect(snapshot.generation).not.toBe(generation);
    hear(custom(20, "b"));
    expect(answer([custom(15, "a")])).toEqual([15, 20]);
  });

  it("remembers no more cleared keys than a room can have had in the time of one question", () => {
    const { hear, answer } = open();
    hear(custom(11, "kept"));
    for (let index = 0; index < 1_000; index++) hear(custom(12 + index, `k${index}`, "null"));
    expect(answer([custom(5, "k999"), custom(6, "other")])).toContain(6);
  });
});
