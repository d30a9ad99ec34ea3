import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { packChanges, packWrites, unpackAnswers } from "../../../broker/embedded-packing.ts";
import type {
  Answer,
  EventWrite,
  FromStorage,
  Request,
  StorageOptions,
  ToStorage,
} from "../../../broker/embedded-protocol.ts";
import { GENEROUS } from "../../contract/engine.ts";
import { room } from "../../contract/events.ts";
import { eventually } from "../../support/eventually.ts";

const WORKER = new URL("../../../broker/embedded-worker.ts", import.meta.url);
const LOBBY = room("lobby");
const TOO_LARGE = 2 * 1024 * 1024;

let dataDir: string;
let worker: Worker;
let messages: FromStorage[];
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "baccarat-worker-"));
  const workerData: StorageOptions = { dataDir, retention: GENEROUS, maxFileBytes: 1024 * 1024 };
  messages = [];
  worker = new Worker(WORKER, { workerData });
  worker.on("message", (message: FromStorage) => messages.push(message));
  await received("opened", 1);
});
afterEach(async () => {
  const exited = once(worker, "exit");
  post({ kind: "close" });
  expect(await exited).toEqual([0]);
  await rm(dataDir, { recursive: true, force: true });
});

function post(message: ToStorage): void {
  worker.postMessage(message);
}

function request(series: number, bytes: readonly number[], reads: Request["reads"] = []): Request {
  const events: EventWrite[] = bytes.map((length) => ({
    room: LOBBY,
    body: new Uint8Array(length),
    dedupeId: undefined,
    deletedSeq: 0,
  }));
  const total = bytes.reduce((sum, length) => sum + length, 0);
  return { kind: "request", series, events: packWrites(events, total), control: packChanges([], 0), reads };
}

function received(kind: FromStorage["kind"], count: number): Promise<unknown> {
  const of = (): number => messages.filter((message) => message.kind === kind).length;
  return eventually(`${count} messages of kind ${kind}`, () => of() >= count, { state: () => messages });
}

async function answers(count: number): Promise<Answer[]> {
  await received("answer", count);
  return messages.filter((message) => message.kind === "answer");
}

describe("storage thread", () => {
  it("fails what was sent in one series with a failed transaction, and takes the next series", async () => {
    const read = { kind: "logEnd" } as const;
    post(request(1, [10, 10]));
    post(request(1, [10, TOO_LARGE]));
    post(request(1, [10], [read]));
    post(request(2, [10], [read]));
    const [fine, failed, behind, next] = await answers(4);
    const seqs = (answer?: Answer) =>
      answer?.written.ok && unpackAnswers(answer.written.value.events).map(({ seq }) => seq);
    expect([seqs(fine), seqs(next)]).toEqual([[1, 2], [3]]);
    expect(failed?.written).toEqual({ ok: false, reason: "database or disk is full" });
    expect(behind).toMatchObject({ written: { ok: false, reason: "an earlier write failed" }, reads: [{ value: 2 }] });
    expect(next?.reads).toMatchObject([{ value: 3 }]);
  });

  it("says when writing works again after it failed", async () => {
    post(request(1, [TOO_LARGE]));
    await answers(1);
    await received("recovered", 1);
  });

  it("answers a read that fails with why, and goes on", async () => {
    // SQLite has no integers of that size.
    const unreadable = { kind: "entry", key: (2n ** 70n) as never } as const;
    post(request(1, [10], [{ kind: "entry", key: "a" }, unreadable, { kind: "logEnd" }]));
    const [answer] = await answers(1);
    expect(answer?.written.ok).toBe(true);
    expect(answer?.reads?.map(({ ok }) => ok)).toEqual([true, false, true]);
  });
});
