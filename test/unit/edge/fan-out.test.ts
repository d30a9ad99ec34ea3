import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { FanOut, type FlushableRoom } from "../../../edge/fan-out.ts";
import { eventually } from "../../support/eventually.ts";

/** Something with so many writes to make. */
class Work implements FlushableRoom {
  holdMs = 0;
  left: number;
  readonly slices: number[] = [];
  readonly #name: string;
  readonly #order: string[];

  constructor(name: string, writes: number, order: string[] = []) {
    this.#name = name;
    this.left = writes;
    this.#order = order;
  }

  flush(budget: number) {
    const writes = Math.min(this.left, budget);
    this.left -= writes;
    this.slices.push(writes);
    this.#order.push(this.#name);
    return { writes, done: this.left === 0 };
  }
}

describe("fan-out", () => {
  it("writes once per turn however often it is asked", async () => {
    const fanOut = new FanOut();
    const [room, outbox] = [new Work("room", 3), new Work("outbox", 1)];
    for (let n = 0; n < 5; n++) {
      fanOut.room(room);
      fanOut.outbox(outbox);
    }
    expect(room.slices).toEqual([]);
    await turn();
    await turn();
    expect([room.slices, outbox.slices]).toEqual([[3], [1]]);
  });

  it("spreads much over turns, and lets nobody wait for a huge room", async () => {
    const fanOut = new FanOut();
    const order: string[] = [];
    const [huge, small, reply] = [
      new Work("huge", 2_500, order),
      new Work("small", 2, order),
      new Work("reply", 1, order),
    ];
    fanOut.room(huge);
    fanOut.room(small);
    fanOut.outbox(reply);
    for (let n = 0; n < 8; n++) await turn();
    expect(huge.slices).toEqual([1_000, 998, 502]);
    expect(order).toEqual(["huge", "reply", "small", "huge", "huge"]);
  });

  it("holds a room that waits for more, until that came or the time is over", async () => {
    const fanOut = new FanOut();
    const [waits, late, other] = [new Work("waits", 1), new Work("late", 1), new Work("other", 1)];
    waits.holdMs = 60_000;
    late.holdMs = 1;
    for (const room of [waits, late, other]) fanOut.room(room);
    await turn();
    await turn();
    expect([waits.slices, other.slices]).toEqual([[], [1]]);
    fanOut.release(other);
    fanOut.release(waits);
    await turn();
    await turn();
    expect([waits.slices, other.slices]).toEqual([[1], [1]]);
    await eventually("the time to be over", () => late.slices.length === 1);
    fanOut.room(waits);
    await turn();
    await turn();
    fanOut.close();
    fanOut.release(waits);
    await turn();
    await turn();
    expect(waits.slices).toEqual([1]);
  });

  it("says when several rooms are written in one turn, and calls back afterwards", async () => {
    const fanOut = new FanOut();
    const gathering: boolean[] = [];
    const probe = () => ({
      holdMs: 0,
      flush: () => {
        gathering.push(fanOut.gathering);
        return { writes: 1, done: true };
      },
    });
    const after: number[] = [];
    fanOut.after({ afterTurn: () => after.push(gathering.length) });
    fanOut.room(probe());
    fanOut.room(probe());
    await turn();
    await turn();
    fanOut.room(probe());
    await turn();
    await turn();
    expect({ gathering, after }).toEqual({ gathering: [true, true, false], after: [2] });
  });

  it("forgets what is left when it is closed", async () => {
    const fanOut = new FanOut();
    const room = new Work("room", 1);
    fanOut.room(room);
    fanOut.close();
    await turn();
    await turn();
    expect(room.slices).toEqual([]);
  });
});
