import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { StoredEvent } from "../../../../broker/broker.ts";
import { EventSchema } from "../../../../gen/baccarat/v1/event_pb.ts";
import { SnapshotState } from "../../../../services/room/snapshot-state.ts";
import { room } from "./replica.ts";

const TABLE = room("table");
const NEVER = Number.POSITIVE_INFINITY;

function event(seq: number, snapshotKey: string, dataJson = `${seq}`): StoredEvent {
  const body = { case: "customEvent", value: { type: "a.b", dataJson, snapshotKey } } as const;
  return { room: TABLE, seq, prevSeq: 0, event: create(EventSchema, { roomId: TABLE, body }) };
}

/** Seqs by key. */
function seqs(state: SnapshotState): Record<string, number> {
  return Object.fromEntries([...state.view(TABLE).latest].map(([key, { seq }]) => [key, seq]));
}

/** What is wrong with the control log: by key, the seq that belongs there, undefined for none. */
function wrong(state: SnapshotState): Record<string, number | undefined> {
  return Object.fromEntries(state.due(NEVER).map(({ key, latest }) => [key, latest?.seq]));
}

describe("a snapshot's state", () => {
  it("keeps the latest event of each key, and what cleared it counts as one", () => {
    const state = new SnapshotState();
    state.heard(event(1, "a"), 0);
    state.heard(event(3, "b"), 0);
    state.heard(event(2, "b"), 0);
    state.heard(event(4, "a"), 0);
    expect(seqs(state)).toEqual({ a: 4, b: 3 });
    state.heard(event(5, "a", "null"), 0);
    expect(seqs(state)).toEqual({ b: 3 });
    expect(state.view(TABLE).changed).toBe(5);
    state.recorded(TABLE, "a", event(4, "a"), 0);
    expect(seqs(state)).toEqual({ b: 3 });
  });

  it("comes to the same from the log and the control log in any order, and finds what the control log lacks", () => {
    const change = fc.record({ key: fc.constantFrom("a", "b"), clear: fc.boolean() });
    const given = fc.array(change, { maxLength: 12 }).chain((changes) => {
      const events = changes.map(({ key, clear }, index) => event(index + 1, key, clear ? "null" : "1"));
      const recorded = fc.subarray(events);
      return fc.record({
        events: fc.constant(events),
        recorded,
        order: fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }),
      });
    });
    fc.assert(
      fc.property(given, ({ events, recorded, order }) => {
        const state = new SnapshotState();
        const records = recorded.filter((stored) => dataOf(stored) !== "null");
        const [log, control] = [[...events], backwards(records)];
        for (const isLog of order) {
          const next = isLog ? log.shift() : control.shift();
          if (next === undefined) continue;
          if (isLog) state.heard(next, 0);
          else state.recorded(TABLE, keyOf(next), next, 0);
        }
        for (const stored of log) state.heard(stored, 0);
        for (const stored of control) state.recorded(TABLE, keyOf(stored), stored, 0);
        const last = new Map(events.map((stored) => [keyOf(stored), stored]));
        const expected = [...last].flatMap(([key, stored]) => (dataOf(stored) === "null" ? [] : [[key, stored.seq]]));
        expect(seqs(state)).toEqual(Object.fromEntries(expected));
        // Whatever came last in the control log, writing what is due makes it right.
        for (const { key, latest } of state.due(NEVER)) state.recorded(TABLE, key, latest, 0);
        expect(state.due(NEVER)).toEqual([]);
        expect(state.recordedUpTo(99)).toBe(99);
      }),
    );
  });

  it("has to be recorded until it is, and again when an older write lands after it", () => {
    const state = new SnapshotState();
    state.heard(event(7, "a"), 100);
    expect(state.due(99)).toEqual([]);
    expect(wrong(state)).toEqual({ a: 7 });
    expect(state.recordedUpTo(9)).toBe(6);
    state.recorded(TABLE, "a", event(7, "a"), 0);
    expect(wrong(state)).toEqual({});
    expect(state.recordedUpTo(9)).toBe(9);
    state.recorded(TABLE, "a", event(5, "a"), 0);
    expect(seqs(state)).toEqual({ a: 7 });
    expect(wrong(state)).toEqual({ a: 7 });
    state.recorded(TABLE, "a", event(7, "a"), 0);
    state.recorded(TABLE, "a", undefined, 0);
    expect(wrong(state)).toEqual({ a: 7 });
  });

  it("takes what another replica recorded before it was heard", () => {
    const state = new SnapshotState();
    state.recorded(TABLE, "a", event(7, "a"), 0);
    state.heard(event(6, "a"), 0);
    expect(seqs(state)).toEqual({ a: 7 });
    expect(wrong(state)).toEqual({});
  });

  it("has what a deletion of the room left over, and records of another log, taken out", () => {
    const state = new SnapshotState();
    state.heard(event(7, "a"), 0);
    state.recorded(TABLE, "a", event(7, "a"), 0);
    state.heard(event(9, "b"), 0);
    state.deleted(TABLE, 8, 0);
    expect(seqs(state)).toEqual({ b: 9 });
    expect(wrong(state)).toEqual({ a: undefined, b: 9 });
    state.outdated(TABLE, "c", 0);
    expect(wrong(state)).toMatchObject({ c: undefined });
    state.recorded(TABLE, "c", undefined, 0);
    expect(wrong(state)).toEqual({ a: undefined, b: 9 });
  });

  it("forgets cleared keys once no older write can be under way, but not that something changed", () => {
    const state = new SnapshotState();
    state.heard(event(1, "a"), 0);
    state.heard(event(2, "a", "null"), 0);
    const later = performance.now() + 61_000;
    state.forget(performance.now());
    expect([...state.entries(TABLE)]).toHaveLength(1);
    state.forget(later);
    expect([...state.entries(TABLE)]).toEqual([]);
    expect(state.view(TABLE)).toEqual({ changed: 2, latest: new Map() });
    expect(state.view(room("other")).changed).toBe(2);
  });

  it("counts bytes of data", () => {
    const state = new SnapshotState();
    state.heard(event(1, "a", '"é"'), 0);
    expect(state.bytes).toBe(4);
    state.heard(event(2, "a", "1"), 0);
    expect(state.bytes).toBe(1);
    state.heard(event(3, "a", ""), 0);
    expect(state.bytes).toBe(0);
  });
});

function keyOf({ event: { body } }: StoredEvent): string {
  return body.case === "customEvent" ? body.value.snapshotKey : "";
}

function dataOf({ event: { body } }: StoredEvent): string {
  return body.case === "customEvent" ? body.value.dataJson : "";
}

/** The order that hurts. */
function backwards(events: readonly StoredEvent[]): StoredEvent[] {
  return events.toReversed();
}
