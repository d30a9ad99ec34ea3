import { describe, expect, it, onTestFinished } from "vitest";
import { SharedTail } from "../../../../services/room/watch-tail.ts";
import { eventually } from "../../../support/eventually.ts";
import { openTestBroker, store } from "./replica.ts";

async function open(stored: number, lookBack: number) {
  const broker = await openTestBroker();
  const before = await store(broker, "lobby", Array<string>(stored).fill("before"));
  const tail = new SharedTail({ broker });
  onTestFinished(() => tail.close());
  const heard: number[] = [];
  const unlisten = tail.listen(({ seq }) => heard.push(seq));
  await tail.start(lookBack);
  return { broker, tail, before, heard, unlisten };
}

describe("SharedTail", () => {
  it("begins at the log's end, and hears what comes", async () => {
    const { broker, tail, before, heard } = await open(3, 0);
    expect(tail.position).toBe(before[2]);
    const seqs = await store(broker, "lobby", ["one", "two"]);
    expect(heard).toEqual(seqs);
    expect(tail.position).toBe(seqs[1]);
  });

  it("hears again as much as it is told to, from one position on", async () => {
    const { broker, tail, before, heard } = await open(900, 700);
    expect(tail.position).toBe(before[899]);
    await eventually("it to hear the past", () => heard.length === 700);
    expect(heard).toEqual(before.slice(200));
    expect(tail.position).toBe(before[899]);
    const [seq] = await store(broker, "lobby", ["new"]);
    expect(heard.at(-1)).toBe(seq);
  });

  it("says nothing more to who does not listen any more, nor to anybody once closed", async () => {
    const { broker, tail, heard, unlisten } = await open(0, 0);
    const other: number[] = [];
    tail.listen(({ seq }) => other.push(seq));
    await store(broker, "lobby", ["one"]);
    unlisten();
    await store(broker, "lobby", ["two"]);
    tail.close();
    await store(broker, "lobby", ["three"]);
    expect([heard.length, other.length]).toEqual([1, 2]);
  });
});
