import { describe, expect, it } from "vitest";
import { LiveFeed } from "../../../broker/embedded-live.ts";
import { Tail } from "../../../broker/embedded-tail.ts";
import { message, room, seqsOf } from "../../contract/events.ts";
import { Recorder } from "../../contract/recorder.ts";
import { type ScriptedStorage, startScripted } from "./scripted-storage.ts";

const LOBBY = room("lobby");
const event = message(LOBBY, "hello");

const page = (seqs: readonly number[], complete: boolean): string =>
  `[{ rows: ${JSON.stringify(seqs.map((seq) => ({ room: LOBBY, seq, prevSeq: 0 })))}, complete: ${complete} }]`;

function follow({ thread, log }: ScriptedStorage) {
  const live = new LiveFeed({ log });
  const heard = new Recorder();
  const decode = ({ seq }: { seq: number }) => ({ room: LOBBY, seq, prevSeq: 0, event });
  return { live, heard, tail: new Tail({ thread, live, log, decode, after: 0, listener: heard.hear }) };
}

describe("Tail", () => {
  it("reads on after a page that could not be read, and is live after the last one", async () => {
    const storage = await startScripted(`
      if (count === 1) answer(request, ${page([1, 2], false)});
      else if (count === 2) fail(request);
      else answer(request, ${page([3], true)});
    `);
    const { live, heard, tail } = follow(storage);
    await tail.start();
    expect(seqsOf(heard.events)).toEqual([1, 2]);
    live.deliver({ room: LOBBY, seq: 3, prevSeq: 2, event });
    await heard.seq(3);
    live.deliver({ room: LOBBY, seq: 4, prevSeq: 3, event });
    expect(seqsOf(heard.events)).toEqual([1, 2, 3, 4]);
    expect(storage.lines).toContainEqual(expect.objectContaining({ level: "warn" }));
    tail.end();
    live.deliver({ room: LOBBY, seq: 5, prevSeq: 4, event });
    expect(heard.events).toHaveLength(4);
    await storage.thread.close();
  });

  it("does not begin when the first page cannot be read", async () => {
    const storage = await startScripted("fail(request)");
    const { tail } = follow(storage);
    await expect(tail.start()).rejects.toMatchObject({ reason: "unavailable" });
    await storage.thread.close();
  });

  it("reads no more once it has ended", async () => {
    const storage = await startScripted(`
      const value = ({ kind }) => (kind === "tail" ? ${page([1], false)}[0] : count);
      answer(request, request.reads.map(value));
    `);
    const { tail } = follow(storage);
    await tail.start();
    tail.end();
    // The read that was on its way comes before the answer to the first of these or with it.
    const before = await storage.thread.ask({ kind: "logEnd" });
    expect(await storage.thread.ask({ kind: "logEnd" })).toBe(before + 1);
    await storage.thread.close();
  });
});
