import { describe, expect, it } from "vitest";
import { DirectProgress } from "../../../edge/direct-progress.ts";
import { room } from "./stored.ts";

const BOB = room("direct:ann:bob");

function open() {
  const heard = new Map<string, number>();
  return { heard, progress: new DirectProgress({ last: (id) => heard.get(id) ?? 0 }) };
}

describe("how far direct messages were heard", () => {
  it("is not known before the first digest, and then as far as it says", () => {
    const { progress } = open();
    expect(progress.seq).toBe(0);
    progress.expect([], 0, 100);
    expect(progress.seq).toBe(100);
  });

  it("waits for what a digest names until it was heard", () => {
    const { heard, progress } = open();
    progress.expect([], 0, 100);
    progress.expect([{ room: BOB, seq: 110 }], 100, 120);
    expect([progress.seq, progress.behind]).toEqual([100, [BOB]]);
    heard.set(BOB, 109);
    progress.settle();
    expect(progress.seq).toBe(100);
    heard.set(BOB, 110);
    progress.settle();
    expect([progress.seq, progress.behind]).toEqual([120, []]);
  });

  it("does not skip what no digest told of", () => {
    const { progress } = open();
    progress.expect([], 0, 100);
    progress.expect([], 150, 200);
    expect(progress.seq).toBe(100);
    progress.expect([], 100, 180);
    progress.expect([], 150, 200);
    expect(progress.seq).toBe(200);
  });

  it("takes a digest that covers nothing for its heads alone", () => {
    const { progress } = open();
    progress.expect([], 0, 100);
    progress.expect([{ room: BOB, seq: 110 }], 0, 0);
    expect([progress.seq, progress.behind]).toEqual([100, [BOB]]);
  });
});
