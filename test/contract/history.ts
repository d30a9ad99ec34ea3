import { equals, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/baccarat/v1/event_pb.ts";
import { type Engine, useStorage } from "./engine.ts";
import { customEvent, deletion, message, room, say, sayMany, seqsOf, textsOf } from "./events.ts";

const LOBBY = room("lobby");
const TABLE = room("table:7@vip");
const DIRECT = room("direct:anna|1:percy");

/** Reading: pages in both directions, their bounds, positions. */
export function historyContract(engine: Engine): void {
  describe("history", () => {
    const storage = useStorage(engine);

    it("gives events as they were published, with their seqs", async () => {
      const broker = await storage.open();
      const published = [message(LOBBY, "Grüße 👋🏽 \u0000 \u2028"), customEvent(LOBBY, 1_000), message(LOBBY, "")];
      const seqs: number[] = [];
      for (const event of published) seqs.push((await broker.publish(LOBBY, event)).seq);
      const { events } = await broker.history(LOBBY, { limit: 10 });
      expect(seqsOf(events)).toEqual(seqs);
      for (const [index, event] of published.entries()) {
        const stored = events[index]?.event;
        expect(stored && equals(EventSchema, stored, event)).toBe(true);
      }
    });

    it("chains each event to the one before it in its room", async () => {
      const broker = await storage.open();
      for (let count = 0; count < 3; count++) {
        for (const id of [LOBBY, TABLE, DIRECT]) await say(broker, id, "hello");
      }
      for (const id of [LOBBY, TABLE, DIRECT]) {
        const { events } = await broker.history(id, { limit: 10 });
        const [first, second, third] = seqsOf(events);
        expect(events.map(({ prevSeq }) => prevSeq)).toEqual([0, first, second]);
        expect(events.map((stored) => stored.room)).toEqual([id, id, id]);
        const [alone] = (await broker.history(id, { limit: 1 })).events;
        expect(alone).toMatchObject({ seq: third, prevSeq: second });
      }
    });

    it("reads the latest, the earliest after a seq, and the latest before one", async () => {
      const broker = await storage.open();
      const seqs = await sayMany(broker, LOBBY, 5);
      await say(broker, TABLE, "elsewhere");
      const [, second = 0, , fourth = 0, fifth = 0] = seqs;
      const read = async (range: Parameters<typeof broker.history>[1]) => {
        const { events, hasMore } = await broker.history(LOBBY, range);
        return [...textsOf(events), hasMore ? "more" : "all"];
      };
      expect(await read({ limit: 2 })).toEqual(["m4", "m5", "more"]);
      expect(await read({ limit: 5 })).toEqual(["m1", "m2", "m3", "m4", "m5", "all"]);
      expect(await read({ limit: 6 })).toEqual(["m1", "m2", "m3", "m4", "m5", "all"]);
      expect(await read({ limit: 2, before: fourth })).toEqual(["m2", "m3", "more"]);
      expect(await read({ limit: 3, before: fourth })).toEqual(["m1", "m2", "m3", "all"]);
      expect(await read({ limit: 2, before: seqs[0] ?? 0 })).toEqual(["all"]);
      expect(await read({ limit: 2, before: fifth + 1_000_000 })).toEqual(["m4", "m5", "more"]);
      expect(await read({ limit: 2, after: 0 })).toEqual(["m1", "m2", "more"]);
      expect(await read({ limit: 2, after: second })).toEqual(["m3", "m4", "more"]);
      expect(await read({ limit: 3, after: second })).toEqual(["m3", "m4", "m5", "all"]);
      expect(await read({ limit: 3, after: fifth })).toEqual(["all"]);
      expect(await read({ limit: 3, after: fifth + 1_000_000 })).toEqual(["all"]);
    });

    it("is empty for a room nobody has published in", async () => {
      const broker = await storage.open();
      await say(broker, LOBBY, "elsewhere");
      expect(await broker.history(TABLE, { limit: 10 })).toMatchObject({ events: [], hasMore: false, floor: 0 });
      expect(await broker.history(TABLE, { limit: 10, after: 0 })).toMatchObject({ events: [], hasMore: false });
    });

    it("ends a page before it is over maxBytes, but never without an event", async () => {
      const broker = await storage.open();
      const events = Array.from({ length: 4 }, () => customEvent(LOBBY, 10_000));
      for (const event of events) await broker.publish(LOBBY, event);
      const [first] = events;
      const bytes = first ? toBinary(EventSchema, first).length : 0;
      const all = seqsOf((await broker.history(LOBBY, { limit: 10 })).events);
      const latest = await broker.history(LOBBY, { limit: 10, maxBytes: bytes * 2.5 });
      expect([seqsOf(latest.events), latest.hasMore]).toEqual([all.slice(2), true]);
      const earliest = await broker.history(LOBBY, { limit: 10, maxBytes: bytes * 2.5, after: 0 });
      expect([seqsOf(earliest.events), earliest.hasMore]).toEqual([all.slice(0, 2), true]);
      const tiny = await broker.history(LOBBY, { limit: 10, maxBytes: 1, after: all[0] ?? 0 });
      expect([seqsOf(tiny.events), tiny.hasMore]).toEqual([all.slice(1, 2), true]);
      const last = await broker.history(LOBBY, { limit: 10, maxBytes: 1, after: all[2] ?? 0 });
      expect([seqsOf(last.events), last.hasMore]).toEqual([all.slice(3), false]);
    });

    it("walks a long room page by page, in both directions", async () => {
      const broker = await storage.open();
      const seqs = await sayMany(broker, LOBBY, 700);
      const forward: number[] = [];
      for (let after = 0, more = true; more; ) {
        const page = await broker.history(LOBBY, { limit: 300, after });
        forward.push(...seqsOf(page.events));
        after = forward.at(-1) ?? 0;
        more = page.hasMore;
      }
      expect(forward).toEqual(seqs);
      const backward: number[] = [];
      for (let before: number | undefined, more = true; more; ) {
        const page = await broker.history(LOBBY, { limit: 300, ...(before === undefined ? {} : { before }) });
        backward.unshift(...seqsOf(page.events));
        before = backward[0];
        more = page.hasMore;
      }
      expect(backward).toEqual(seqs);
    });

    it("shows every acknowledged event at once, and so does the position", async () => {
      const broker = await storage.open();
      for (let count = 1; count <= 30; count++) {
        const { seq } = await say(broker, LOBBY, `m${count}`);
        const [page, position, roomEnd, end] = await Promise.all([
          broker.history(LOBBY, { limit: 1 }),
          broker.position(LOBBY),
          broker.roomEnd(LOBBY),
          broker.logEnd(),
        ]);
        expect(seqsOf(page.events)).toEqual([seq]);
        expect(page.seq).toBeGreaterThanOrEqual(seq);
        expect(position.seq).toBeGreaterThanOrEqual(seq);
        expect(position.floor).toBe(0);
        expect(roomEnd).toBeGreaterThanOrEqual(seq);
        expect(end).toBeGreaterThanOrEqual(seq);
      }
    });

    it("knows when each event was stored, as long as it is", async () => {
      const broker = await storage.open();
      const times: number[] = [Date.now()];
      const seqs: number[] = [];
      for (const id of [LOBBY, DIRECT, LOBBY]) {
        const { seq } = await say(broker, id, "hello");
        times.push((await broker.storedAt(seq)) ?? 0);
        seqs.push(seq);
      }
      times.push(Date.now());
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      const [first = 0, , last = 0] = seqs;
      await broker.publish(LOBBY, deletion(LOBBY, first));
      expect(await broker.storedAt(first)).toBeUndefined();
      expect(await broker.storedAt(last + 1_000)).toBeUndefined();
      expect(await broker.storedAt(last)).toBe(times.at(-2));
    });

    it("names a position up to which everything of the room was readable", async () => {
      const broker = await storage.open();
      const publishing = sayMany(broker, LOBBY, 500);
      const pages = [];
      for (let count = 0; count < 20; count++) pages.push(await broker.history(LOBBY, { limit: 1_000 }));
      const seqs = await publishing;
      for (const page of pages) expect(seqsOf(page.events)).toEqual(seqs.filter((seq) => seq <= page.seq));
    });
  });
}
