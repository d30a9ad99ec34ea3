import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import type { StoredEvent } from "../../../broker/broker.ts";
import { Conflation } from "../../../edge/conflation.ts";
import { encodeEvent } from "../../../edge/frame-encoders.ts";
import { EventSchema } from "../../../gen/baccarat/v1/event_pb.ts";
import { Metrics } from "../../../services/metrics.ts";
import { eventually } from "../../support/eventually.ts";
import { room, stored } from "./stored.ts";

/** Longer than any test takes: nothing is given because its time came. */
const NEVER_MS = 600_000;

/** An event of a key; without one, a message. */
function event(seq: number, key: string): StoredEvent {
  if (key === "") return stored(seq, seq - 1);
  const body = { case: "customEvent", value: { type: "a.b", dataJson: `${seq}`, snapshotKey: key } } as const;
  const custom = create(EventSchema, { roomId: "r", sent: timestampFromMs(0), body });
  return { room: room("r"), seq, prevSeq: seq - 1, event: custom };
}

/** A conflation of a room at position 10, and what its members are given: seq, prev_seq, and whether it was kept back. */
function open(intervalMs = NEVER_MS) {
  const given: { seq: number; prevSeq: number; held: boolean }[] = [];
  const metrics = new Metrics();
  const conflation = new Conflation({
    epoch: "e",
    intervalMs,
    given: 10,
    deliver: (json, { seq }, sentMs) => {
      const { payload } = JSON.parse(json) as { payload: { seq: number; prev_seq: number } };
      expect(payload.seq).toBe(seq);
      given.push({ seq, prevSeq: payload.prev_seq, held: sentMs === 0 });
    },
    metrics,
  });
  onTestFinished(() => conflation.forget(0));
  const hear = (seq: number, key = "") => {
    const heard = event(seq, key);
    conflation.hear(encodeEvent(heard, "e"), heard, 1);
  };
  const seqs = () => given.map(({ seq }) => seq);
  const conflated = async () => (await metrics.conflatedTotal.get()).values[0]?.value ?? 0;
  return { conflation, hear, given, seqs, conflated };
}

describe("conflation", () => {
  it("gives the first event of a key at once, and the latest of the others when the interval is over", async () => {
    const { hear, seqs, given, conflated } = open(60);
    const begun = performance.now();
    for (let seq = 11; seq <= 15; seq++) hear(seq, "odds");
    expect(seqs()).toEqual([11]);
    await eventually("the latest", () => given.length === 2);
    expect(performance.now() - begun).toBeGreaterThan(50);
    expect(seqs()).toEqual([11, 15]);
    expect(await conflated()).toBe(3);
    hear(16, "odds");
    expect(seqs()).toEqual([11, 15]);
    await eventually("the next", () => given.length === 3);
  });

  it("counts the interval for each key by itself", async () => {
    const { hear, seqs, given } = open(60);
    hear(11, "a");
    hear(12, "b");
    hear(13, "a");
    hear(14, "b");
    expect(seqs()).toEqual([11, 12]);
    await eventually("both", () => given.length === 4);
    expect(seqs()).toEqual([11, 12, 13, 14]);
  });

  it("gives messages, deletions and events without a key as they come, and shows no hole where others were left out", () => {
    const { hear, given } = open();
    hear(11, "odds");
    hear(12, "odds");
    hear(13, "odds");
    hear(14);
    hear(15);
    expect(given).toEqual([
      { seq: 11, prevSeq: 10, held: false },
      { seq: 14, prevSeq: 11, held: false },
      { seq: 15, prevSeq: 14, held: false },
    ]);
  });

  it("gives what it holds when it ends, and nothing when it is told to forget", () => {
    const { conflation, hear, given, seqs } = open();
    for (const [seq, key] of [
      [11, "a"],
      [12, "b"],
      [13, "a"],
      [14, "b"],
      [15, ""],
    ] as const)
      hear(seq, key);
    conflation.release();
    expect(seqs()).toEqual([11, 12, 15, 13, 14]);
    expect(given.slice(3)).toEqual([
      { seq: 13, prevSeq: 12, held: true },
      { seq: 14, prevSeq: 13, held: true },
    ]);
    hear(16, "a");
    hear(17, "a");
    conflation.forget(20);
    hear(21, "a");
    expect(seqs().slice(5)).toEqual([16, 21]);
    expect(given.at(-1)).toEqual({ seq: 21, prevSeq: 20, held: false });
  });

  it("leaves nothing out but what was overtaken, and never looks like a hole, whatever comes", () => {
    const keys = fc.array(fc.constantFrom("", "a", "b", "c"), { maxLength: 40 });
    fc.assert(
      fc.property(keys, fc.nat(40), (all, releaseAt) => {
        const { conflation, hear, given } = open();
        for (const [index, key] of all.entries()) {
          if (index === releaseAt) conflation.release();
          hear(11 + index, key);
        }
        conflation.release();
        conflation.forget(0);
        const keyOf = (seq: number) => all[seq - 11] ?? "";
        let greatest = 10;
        const last = new Map<string, number>();
        for (const { seq, prevSeq } of given) {
          expect(prevSeq).toBeLessThanOrEqual(greatest);
          expect(seq).toBeGreaterThan(last.get(keyOf(seq)) ?? 0);
          last.set(keyOf(seq), seq);
          greatest = Math.max(greatest, seq);
        }
        const messages = given.map(({ seq }) => seq).filter((seq) => keyOf(seq) === "");
        expect(messages).toEqual(all.flatMap((key, index) => (key === "" ? [11 + index] : [])));
        for (const key of ["a", "b", "c"]) expect(last.get(key)).toBe(lastOf(all, key));
      }),
    );
  });

  it("does not remember keys for ever", () => {
    const { hear, given } = open(0.000_001);
    for (let seq = 11; seq < 1_000; seq++) hear(seq, `k${seq}`);
    expect(given).toHaveLength(989);
  });
});

function lastOf(all: readonly string[], key: string): number | undefined {
  const index = all.lastIndexOf(key);
  return index < 0 ? undefined : 11 + index;
}
