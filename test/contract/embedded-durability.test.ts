import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StoredEvent } from "../../broker/broker.ts";
import { eventually } from "../support/eventually.ts";
import { EmbeddedStorage, recordingLog } from "./embedded-storage.ts";
import { GENEROUS } from "./engine.ts";
import { customEvent, deletion, message, room, say, seqsOf, textOf } from "./events.ts";
import { Recorder } from "./recorder.ts";

const LOBBY = room("lobby");
const MEGABYTE = 1024 * 1024;

let storage: EmbeddedStorage;
beforeEach(async () => {
  storage = await EmbeddedStorage.create();
});
afterEach(() => storage.dispose());

describe("embedded broker, killed with kill -9", () => {
  const ROUNDS = 3;
  const ACKS = 1_500;

  it("has everything it acknowledged, once, and can be opened at once", async () => {
    const acked = new Map<number, string>();
    const keys = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      const publisher = new Publisher(storage.dataDir, `round${round}`);
      await eventually("enough acknowledgements", () => publisher.acks >= ACKS, { state: () => publisher.acks });
      await publisher.kill();
      for (const [seq, text] of publisher.events) acked.set(seq, text);
      for (const key of publisher.keys) keys.add(key);
    }
    expect(acked.size).toBeGreaterThanOrEqual(ROUNDS * ACKS * 0.9);

    const broker = await storage.open();
    const end = await broker.logEnd();
    const stored = new Map<number, StoredEvent>();
    await broker.tail(0, (event) => stored.set(event.seq, event));
    await eventually("the whole log", () => stored.has(end));
    const lost = [...acked].filter(([seq, text]) => {
      const event = stored.get(seq);
      return event === undefined || textOf(event) !== text;
    });
    expect(lost).toEqual([]);
    expect(new Set([...stored.values()].map(textOf)).size).toBe(stored.size);
    for (const key of keys) expect(await broker.control.get(key), key).toBeDefined();
    // A retry of what was acknowledged before the kill is still recognised.
    const [[seq, text] = [0, ""]] = acked;
    expect(await broker.publish(LOBBY, message(LOBBY, text), { dedupeId: text })).toEqual({ seq, duplicate: true });
    await broker.close();
  });

  it("is refused to a second process while the first one lives, and free when that is dead", async () => {
    const publisher = new Publisher(storage.dataDir, "first");
    await eventually("the first process to work", () => publisher.acks > 0);
    const refused = storage.open();
    await expect(refused).rejects.toMatchObject({ name: "BrokerOpenError", problem: "in_use" });
    await expect(refused).rejects.toThrow(/baccarat\.db is in use by another process: [^\n]*$/);
    await publisher.kill();
    await (await storage.open()).close();
  });
});

describe("embedded broker, out of space", () => {
  it("rejects what it cannot store, delivers none of it, says so, and works again when there is space", async () => {
    const { log, lines } = recordingLog();
    const broker = await storage.open({ ...GENEROUS }, { maxFileBytes: MEGABYTE, log });
    const heard = new Recorder();
    await broker.subscribe(LOBBY, heard);
    const changes: boolean[] = [];
    broker.onHealth(({ ok }) => changes.push(ok));

    const stored: number[] = [];
    let error: unknown;
    while (error === undefined) {
      try {
        stored.push((await broker.publish(LOBBY, customEvent(LOBBY, 30_000))).seq);
      } catch (thrown) {
        error = thrown;
      }
      expect(stored.length).toBeLessThan(100);
    }
    expect(error).toMatchObject({ name: "RoomError", reason: "unavailable" });
    expect(broker.health()).toEqual({ ok: false, reason: "database or disk is full" });
    expect(changes).toEqual([false]);
    expect(lines).toContainEqual(expect.objectContaining({ level: "error", reason: "database or disk is full" }));

    // Reading goes on, and what failed is nowhere.
    expect(seqsOf((await broker.history(LOBBY, { limit: 100 })).events)).toEqual(stored);
    expect(seqsOf(heard.events)).toEqual(stored);

    // Deletions find room in what they free.
    for (const seq of stored.slice(0, 5)) await broker.publish(LOBBY, deletion(LOBBY, seq));
    await eventually("the broker to be well again", () => broker.health().ok);
    expect(changes).toEqual([false, true]);
    const { seq } = await say(broker, LOBBY, "again");
    expect((await broker.history(LOBBY, { limit: 1 })).events[0]?.prevSeq).toBeLessThan(seq);
    await broker.close();
  });

  it("fails what was published behind a failed event, so that a lane stays in order", async () => {
    const broker = await storage.open({ ...GENEROUS }, { maxFileBytes: MEGABYTE });
    const lane = {};
    const stored: number[] = [];
    const fill = async (): Promise<void> => {
      for (;;) stored.push((await broker.publish(LOBBY, customEvent(LOBBY, 30_000))).seq);
    };
    await expect(fill()).rejects.toMatchObject({ reason: "unavailable" });
    await broker.publish(LOBBY, deletion(LOBBY, stored[0] ?? 0));

    const tooLarge = broker.publish(LOBBY, customEvent(LOBBY, 300_000), { lane });
    // It is on its way to the storage now, and no answer has been read.
    await new Promise((resolve) => setImmediate(resolve));
    const behind = broker.publish(LOBBY, message(LOBBY, "behind"), { lane });
    const outcomes = await Promise.allSettled([tooLarge, behind]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    const { seq } = await broker.publish(LOBBY, message(LOBBY, "now"), { lane });
    expect((await broker.history(LOBBY, { limit: 1 })).events.map(textOf)).toEqual(["now"]);
    expect(seq).toBeGreaterThan(stored.at(-1) ?? 0);
    await broker.close();
  });
});

/** A process that publishes until it is killed, and what it said it was told. */
class Publisher {
  readonly events = new Map<number, string>();
  readonly keys = new Set<string>();
  acks = 0;
  readonly #child: ChildProcess;
  #rest = "";

  constructor(dataDir: string, prefix: string) {
    const script = join(import.meta.dirname, "embedded-publisher.ts");
    this.#child = spawn(process.execPath, [script, dataDir, prefix], { stdio: ["ignore", "pipe", "inherit"] });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#onOutput(text));
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await once(this.#child, "close");
  }

  #onOutput(text: string): void {
    const lines = (this.#rest + text).split("\n");
    // A line that kill cut short is no acknowledgement anybody has read.
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const [kind, number, name = ""] = line.split(" ");
      if (kind === "event") this.events.set(Number(number), name);
      else if (kind === "control") this.keys.add(name);
      else continue;
      this.acks++;
    }
  }
}
