import { afterEach, describe, expect, it } from "vitest";
import type { Settle } from "../../../broker/embedded-batch.ts";
import type { EventAnswer, EventWrite } from "../../../broker/embedded-protocol.ts";
import type { StorageThread } from "../../../broker/embedded-thread.ts";
import { room } from "../../contract/events.ts";
import { eventually } from "../../support/eventually.ts";
import { type ScriptedStorage, startScripted } from "./scripted-storage.ts";

const STALL_MS = 500;
const MAX_WAITING = 65_536;

/** What the storage does with each request. */
const STORAGES = {
  answers: "answer(request)",
  holds: "held.push(request)",
  crashes: "throw new Error('no more')",
  holdsTwo: "if (count <= 2) held.push(request); else answer(request)",
} as const;

const LOBBY = room("lobby");
const EVENT: EventWrite = { room: LOBBY, body: new Uint8Array(10), dedupeId: undefined, deletedSeq: 0 };

const threads: StorageThread[] = [];
afterEach(() => Promise.all(threads.splice(0).map((thread) => thread.close())));

async function start(storage: keyof typeof STORAGES, stallMs?: number): Promise<ScriptedStorage> {
  const started = await startScripted(STORAGES[storage], stallMs);
  threads.push(started.thread);
  return started;
}

/** Publishes, and keeps every outcome: a write may settle twice. */
function write(thread: StorageThread): string[] {
  const outcomes: string[] = [];
  const settle: Settle<EventAnswer> = {
    done: ({ seq }) => outcomes.push(`stored ${seq}`),
    fail: ({ reason, message }) => outcomes.push(`${reason}: ${message}`),
  };
  thread.writeEvent(EVENT, settle);
  return outcomes;
}

const settled = (outcomes: string[]): Promise<unknown> => eventually("the write to settle", () => outcomes.length > 0);

describe("StorageThread", () => {
  it("settles in the order of the calls, reads after the writes they were asked with", async () => {
    const { thread } = await start("answers");
    const order: unknown[] = [];
    const asked = Array.from({ length: 5 }, (_, index) => index);
    for (const index of asked) {
      thread.writeEvent(EVENT, { done: () => order.push(index), fail: (error) => order.push(error) });
    }
    const end = await thread.ask({ kind: "logEnd" });
    expect(order).toEqual(asked);
    expect(end).toBe(5);
  });

  it("gives up what the storage does not answer, says so, and takes a late answer for what it is", async () => {
    const { thread, worker, lines } = await start("holds", STALL_MS);
    const outcomes = write(thread);
    const reads: string[] = [];
    thread.read({ kind: "logEnd" }, { done: () => reads.push("done"), fail: () => reads.push("failed") });
    await settled(outcomes);
    const reason = `the storage has not answered for ${STALL_MS} ms`;
    expect(outcomes).toEqual([`unavailable: ${reason}`]);
    expect(thread.health.current).toEqual({ ok: false, reason });
    expect(lines).toContainEqual(expect.objectContaining({ level: "error", reason }));
    // While the storage is stalled, what comes is given up with less patience.
    const next = write(thread);
    await settled(next);
    expect(next).toEqual([`unavailable: ${reason}`]);
    worker.postMessage("go");
    await eventually("the late answer", () => outcomes.length === 2);
    expect(outcomes[1]).toBe("stored 1");
    expect(reads).toEqual(["failed"]);
    expect(thread.health.current).toEqual({ ok: true });
  });

  it("does not take its own thread's being busy for a stalled storage", async () => {
    const { thread } = await start("answers", STALL_MS);
    const outcomes = write(thread);
    await new Promise((resolve) => setImmediate(resolve));
    const end = performance.now() + 4 * STALL_MS;
    while (performance.now() < end);
    await settled(outcomes);
    expect(outcomes).toEqual(["stored 1"]);
    expect(thread.health.current).toEqual({ ok: true });
  });

  it("refuses at once what would be too much to hold", async () => {
    const { thread, worker } = await start("holds");
    const waiting: string[][] = [];
    for (let count = 0; count < MAX_WAITING; count++) waiting.push(write(thread));
    expect(write(thread)).toEqual(["unavailable: too much waits to be stored"]);
    await expect(thread.ask({ kind: "logEnd" })).rejects.toMatchObject({ reason: "unavailable" });
    expect(waiting.every((outcomes) => outcomes.length === 0)).toBe(true);
    await eventually("everything to be answered", () => {
      worker.postMessage("go");
      return waiting.every((outcomes) => outcomes.length === 1);
    });
    expect(waiting.at(-1)).toEqual([`stored ${MAX_WAITING}`]);
    const next = write(thread);
    await eventually("the next write to be stored", () => {
      worker.postMessage("go");
      return next.length > 0;
    });
  });

  it("refuses bytes that would be too many to hold", async () => {
    const { thread, worker } = await start("holds");
    const large = { ...EVENT, body: new Uint8Array(40 * 1024 * 1024) };
    const outcomes: string[] = [];
    const settle = { done: () => outcomes.push("stored"), fail: ({ message }: Error) => outcomes.push(message) };
    thread.writeEvent(large, settle);
    thread.writeEvent(large, settle);
    expect(outcomes).toEqual(["too much waits to be stored"]);
    await eventually("the first one to be stored", () => {
      worker.postMessage("go");
      return outcomes.includes("stored");
    });
  });

  it("fails everything when the storage thread dies, and stays failed", async () => {
    const { thread, lines } = await start("crashes");
    const outcomes = [write(thread), write(thread)];
    await expect(thread.ask({ kind: "logEnd" })).rejects.toMatchObject({ reason: "unavailable" });
    const reason = "the storage thread ended: restart the process";
    for (const outcome of outcomes) expect(outcome).toEqual([`unavailable: ${reason}`]);
    expect(thread.health.current).toEqual({ ok: false, reason });
    expect(thread.isClosed).toBe(true);
    await thread.stopped;
    expect(write(thread)).toEqual([`unavailable: ${reason}`]);
    expect(lines).toContainEqual(expect.objectContaining({ level: "fatal", msg: reason }));
  });

  it("begins a new series after a failure, and fails what its callers asked before they could know", async () => {
    const { thread, worker } = await start("holdsTwo");
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const first = write(thread);
    await turn();
    const second = write(thread);
    await turn();
    // Two requests are under way, so this one waits for its turn.
    const third = write(thread);
    await turn();
    worker.postMessage("fail");
    for (const outcomes of [first, second, third]) await settled(outcomes);
    expect(first).toEqual(["unavailable: not stored: series 1"]);
    expect(second).toEqual(["unavailable: not stored: series 1"]);
    expect(third).toEqual(["unavailable: not stored: an earlier write failed"]);
    expect(thread.health.current).toEqual({ ok: false, reason: "series 1" });
    const next = write(thread);
    await settled(next);
    expect(next).toEqual(["stored 1"]);
  });

  it("does not wait for ever for a storage that does not even close", async () => {
    const { thread } = await start("holds", STALL_MS);
    const outcomes = write(thread);
    await thread.close();
    expect(outcomes).toEqual([`unavailable: the storage has not answered for ${STALL_MS} ms`]);
    expect(write(thread)).toEqual(["unavailable: the broker is closed"]);
  });
});
