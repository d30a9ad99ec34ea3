import { describe, expect, it } from "vitest";
import type { Broker } from "../../broker/broker.ts";
import { RoomError } from "../../services/errors.ts";
import { type Engine, useStorage } from "./engine.ts";
import { deletion, message, room, say, sayMany, seqsOf, textsOf, typing } from "./events.ts";
import { ControlRecorder, Recorder } from "./recorder.ts";

const LOBBY = room("lobby");
const TABLE = room("table:7@vip");

/** Opening, closing, restarting, health; and several processes at one log where the engine has that. */
export function lifecycleContract(engine: Engine): void {
  describe("lifecycle", () => {
    const storage = useStorage(engine);

    it("finds everything again after a restart, and goes on counting", async () => {
      const before = await storage.open();
      const seqs = await sayMany(before, LOBBY, 20);
      const kept = await before.publish(TABLE, message(TABLE, "once"), { dedupeId: "id-1" });
      await before.publish(LOBBY, deletion(LOBBY, seqs[3] ?? 0));
      const shown = await before.history(LOBBY, { limit: 100 });
      const last = await say(before, LOBBY, "last");
      const gone = await before.publish(LOBBY, deletion(LOBBY, last.seq));
      await before.close();

      const broker = await storage.open();
      const { events } = await broker.history(LOBBY, { limit: 100 });
      expect(textsOf(events)).toEqual([...textsOf(shown.events), `deletes ${last.seq}`]);
      expect(seqsOf(events)).toEqual([...seqsOf(shown.events), gone.seq]);
      expect(await broker.logEnd()).toBeGreaterThanOrEqual(gone.seq);
      expect(await broker.publish(TABLE, message(TABLE, "once"), { dedupeId: "id-1" })).toEqual({
        seq: kept.seq,
        duplicate: true,
      });
      expect((await say(broker, LOBBY, "new")).seq).toBeGreaterThan(gone.seq);
    });

    it("keeps its epoch over restarts, and has a new one on new storage", async () => {
      const before = await storage.open();
      const { epoch } = before;
      expect(epoch).toMatch(/^\S{1,64}$/);
      await before.close();
      expect((await storage.open()).epoch).toBe(epoch);
      const elsewhere = await engine.createStorage();
      const other = await elsewhere.open({ maxMessages: 10, maxAgeMs: 3_600_000, maxBytes: 1024 ** 2 });
      try {
        expect(other.epoch).not.toBe(epoch);
      } finally {
        await other.close();
        await elsewhere.dispose();
      }
    });

    it("is well when it is open", async () => {
      const broker = await storage.open();
      const changes: unknown[] = [];
      const unsubscribe = broker.onHealth((health) => changes.push(health));
      expect(broker.health()).toEqual({ ok: true });
      await say(broker, LOBBY, "hello");
      expect(broker.health()).toEqual({ ok: true });
      expect(changes).toEqual([]);
      unsubscribe();
    });

    it("settles what is in flight when it is closed, truthfully", async () => {
      const before = await storage.open();
      const texts = Array.from({ length: 500 }, (_, index) => `m${index}`);
      const publishing = texts.map((text) => say(before, LOBBY, text));
      const writing = before.control.put("a", new TextEncoder().encode("a1"));
      const [settled] = await Promise.all([Promise.allSettled([...publishing, writing]), before.close()]);
      for (const outcome of settled) {
        if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ reason: "unavailable" });
      }
      const acked = texts.filter((_, index) => settled[index]?.status === "fulfilled");
      const broker = await storage.open();
      const stored = new Set(textsOf((await broker.history(LOBBY, { limit: 1_000 })).events));
      expect(acked.filter((text) => !stored.has(text))).toEqual([]);
    });

    it("answers every later call with unavailable, and closing again does nothing", async () => {
      const broker = await storage.open();
      await broker.close();
      await broker.close();
      const calls: Record<string, () => Promise<unknown>> = {
        publish: () => say(broker, LOBBY, "late"),
        subscribe: () => broker.subscribe(LOBBY, new Recorder()),
        subscribeDirect: () => broker.subscribeDirect(() => undefined),
        tail: () => broker.tail(0, () => undefined),
        history: () => broker.history(LOBBY, { limit: 1 }),
        position: () => broker.position(LOBBY),
        roomEnd: () => broker.roomEnd(LOBBY),
        logEnd: () => broker.logEnd(),
        logStart: () => broker.logStart(),
        storedAt: () => broker.storedAt(1),
        put: () => broker.control.put("a", new Uint8Array([1])),
        create: () => broker.control.create("a", new Uint8Array([1])),
        delete: () => broker.control.delete("a"),
        get: () => broker.control.get("a"),
        watch: () => broker.control.watch(new ControlRecorder()),
      };
      for (const [name, call] of Object.entries(calls)) {
        const error = await call().catch((thrown: unknown) => thrown);
        expect(error instanceof RoomError ? error.reason : error, name).toBe("unavailable");
      }
      expect(() => broker.signal(LOBBY, typing(LOBBY, "percy"))).not.toThrow();
    });

    if (engine.shared) sharedStorage(() => Promise.all([storage.open(), storage.open()]));
  });
}

function sharedStorage(openTwo: () => Promise<[Broker, Broker]>): void {
  describe("of two processes at one log", () => {
    it("is one log: same epoch, same events, reads at one reflect acknowledgements at the other", async () => {
      const [here, there] = await openTwo();
      expect(there.epoch).toBe(here.epoch);
      for (let count = 0; count < 20; count++) {
        const { seq } = await say(here, LOBBY, `m${count}`);
        const page = await there.history(LOBBY, { limit: 1 });
        expect(seqsOf(page.events)).toEqual([seq]);
        expect(page.seq).toBeGreaterThanOrEqual(seq);
        expect((await there.position(LOBBY)).seq).toBeGreaterThanOrEqual(seq);
        expect(await there.roomEnd(LOBBY)).toBeGreaterThanOrEqual(seq);
      }
    });

    it("delivers events, signals and control changes from one to the other", async () => {
      const [here, there] = await openTwo();
      const heard = new Recorder();
      const tailed = new Recorder();
      const watch = new ControlRecorder();
      await there.subscribe(LOBBY, heard);
      await there.tail(0, tailed.hear);
      await there.control.watch(watch);
      await sayMany(here, LOBBY, 10);
      here.signal(LOBBY, typing(LOBBY, "percy"));
      const revision = await here.control.put("a", new TextEncoder().encode("a1"));
      expect(await tailed.texts(10)).toHaveLength(10);
      expect(await heard.texts(10)).toEqual(textsOf(tailed.events));
      await heard.signalCount(1);
      await watch.revision(revision);
      expect([...watch.state]).toEqual([["a", "a1"]]);
    });

    it("recognises a retry that goes to the other one, and lets one of both create a key", async () => {
      const [here, there] = await openTwo();
      const first = await here.publish(LOBBY, message(LOBBY, "once"), { dedupeId: "id-1" });
      const retry = await there.publish(LOBBY, message(LOBBY, "once"), { dedupeId: "id-1" });
      expect(retry).toEqual({ seq: first.seq, duplicate: true });
      const created = await Promise.all(
        [here, there].map((broker) => broker.control.create("secret.session", new Uint8Array(32))),
      );
      expect(created.filter((revision) => revision !== undefined)).toHaveLength(1);
    });

    it("wipes a deleted event for both", async () => {
      const [here, there] = await openTwo();
      const { seq } = await say(here, LOBBY, "oops");
      expect(seqsOf((await there.history(LOBBY, { limit: 10 })).events)).toEqual([seq]);
      await here.publish(LOBBY, deletion(LOBBY, seq));
      expect(textsOf((await there.history(LOBBY, { limit: 10 })).events)).toEqual([`deletes ${seq}`]);
    });
  });
}
