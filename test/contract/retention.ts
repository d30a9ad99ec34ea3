import { toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/baccarat/v1/event_pb.ts";
import { eventually } from "../support/eventually.ts";
import { type Engine, useStorage } from "./engine.ts";
import { customEvent, deletion, room, say, sayMany, seqsOf, textsOf } from "./events.ts";

const LOBBY = room("lobby");
const TABLE = room("table:7@vip");

/** What is shown of a log that is older, longer or larger than it may be. */
export function retentionContract(engine: Engine): void {
  describe("retention", () => {
    const storage = useStorage(engine);

    it("shows a room's latest events only, and says from where on", async () => {
      const broker = await storage.open({ maxMessages: 5 });
      const other = await say(broker, TABLE, "elsewhere");
      const seqs = await sayMany(broker, LOBBY, 12);
      const floor = seqs[6];
      const latest = await broker.history(LOBBY, { limit: 100 });
      expect(textsOf(latest.events)).toEqual(["m8", "m9", "m10", "m11", "m12"]);
      expect([latest.floor, latest.hasMore]).toEqual([floor, false]);
      const earliest = await broker.history(LOBBY, { limit: 100, after: 0 });
      expect([seqsOf(earliest.events), earliest.floor, earliest.hasMore]).toEqual([seqs.slice(7), floor, false]);
      const older = await broker.history(LOBBY, { limit: 100, before: seqs[9] ?? 0 });
      expect([seqsOf(older.events), older.hasMore]).toEqual([seqs.slice(7, 9), false]);
      expect((await broker.position(LOBBY)).floor).toBe(floor);
      const untouched = await broker.history(TABLE, { limit: 100 });
      expect([seqsOf(untouched.events), untouched.floor]).toEqual([[other.seq], 0]);
    });

    it("keeps showing exactly so many while a room goes on for long", async () => {
      const broker = await storage.open({ maxMessages: 10 });
      for (let round = 0; round < 20; round++) {
        const seqs = await sayMany(broker, LOBBY, 23, `r${round}-`);
        const page = await broker.history(LOBBY, { limit: 100 });
        expect(seqsOf(page.events)).toEqual(seqs.slice(-10));
        expect(page.floor).toBe(seqs.at(-11));
        expect(page.events[0]?.prevSeq).toBeLessThanOrEqual(page.floor);
      }
    });

    it("has everything after the floor, and the floor outlives a restart", async () => {
      const before = await storage.open({ maxMessages: 5 });
      const seqs = await sayMany(before, LOBBY, 300);
      const { floor } = await before.position(LOBBY);
      expect(floor).toBe(seqs.at(-6));
      await before.close();
      const broker = await storage.open({ maxMessages: 5 });
      expect((await broker.position(LOBBY)).floor).toBe(floor);
      expect(seqsOf((await broker.history(LOBBY, { limit: 100, after: floor })).events)).toEqual(seqs.slice(-5));
    });

    it("does not show what is too old", async () => {
      const broker = await storage.open({ maxAgeMs: engine.shortAgeMs });
      const seqs = await sayMany(broker, LOBBY, 3);
      await eventually(
        "the room to be empty",
        async () => (await broker.history(LOBBY, { limit: 10 })).events.length === 0,
      );
      expect(await broker.position(LOBBY)).toMatchObject({ floor: seqs.at(-1) });
      expect(await broker.logStart()).toBe(seqs.at(-1));
      expect((await broker.history(LOBBY, { limit: 10, after: 0 })).events).toEqual([]);
      const fresh = await say(broker, LOBBY, "fresh");
      const page = await broker.history(LOBBY, { limit: 10 });
      expect([seqsOf(page.events), page.floor]).toEqual([[fresh.seq], seqs.at(-1)]);
    });

    it("gives up the oldest events of the whole log when that is too large", async () => {
      const maxBytes = 512 * 1024;
      const broker = await storage.open({ maxBytes });
      const first = await say(broker, TABLE, "the oldest");
      const seqs: number[] = [];
      for (let count = 0; count < 200; count++) {
        seqs.push((await broker.publish(LOBBY, customEvent(LOBBY, 8_000))).seq);
      }
      await eventually("the oldest event to go", async () => (await broker.position(TABLE)).floor === first.seq);
      const page = await eventually("the log to be small enough", async () => {
        const { events, floor } = await broker.history(LOBBY, { limit: 1_000 });
        const bytes = events.reduce((sum, { event }) => sum + toBinary(EventSchema, event).length, 0);
        return bytes <= maxBytes && { events, floor };
      });
      // What went are the oldest ones, and not many more than had to.
      expect(page.events.length).toBeGreaterThan(30);
      expect(seqsOf(page.events)).toEqual(seqs.slice(-page.events.length));
      expect(page.floor).toBe(seqs.at(-page.events.length - 1));
      expect(await broker.logStart()).toBeGreaterThanOrEqual(page.floor);
      expect((await broker.history(TABLE, { limit: 10 })).events).toEqual([]);
    });

    it("takes nothing from the log's beginning but by age and size", async () => {
      const broker = await storage.open({ maxMessages: 5 });
      expect(await broker.logStart()).toBe(0);
      const first = await say(broker, TABLE, "the oldest");
      await sayMany(broker, LOBBY, 50);
      expect(await broker.logStart()).toBe(first.seq - 1);
    });

    it("does not count deleted events as dropped", async () => {
      const broker = await storage.open({ maxMessages: 100 });
      const [first = 0, ...rest] = await sayMany(broker, LOBBY, 3);
      const gone = await broker.publish(LOBBY, deletion(LOBBY, first));
      const page = await broker.history(LOBBY, { limit: 10, after: first });
      expect([seqsOf(page.events), page.floor]).toEqual([[...rest, gone.seq], 0]);
    });
  });
}
