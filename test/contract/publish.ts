import { describe, expect, it } from "vitest";
import { dedupeId } from "../../services/publisher.ts";
import { type Engine, useStorage } from "./engine.ts";
import { deletion, message, room, say, seqsOf, textsOf } from "./events.ts";
import { Recorder } from "./recorder.ts";

const LOBBY = room("lobby");
const TABLE = room("table:7@vip");

/** Order, duplicates and deletion. */
export function publishContract(engine: Engine): void {
  describe("publish", () => {
    const storage = useStorage(engine);

    it("numbers all rooms with one increasing sequence", async () => {
      const broker = await storage.open();
      const seqs: number[] = [];
      for (const id of [LOBBY, TABLE, LOBBY, TABLE]) seqs.push((await say(broker, id, "hello")).seq);
      expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
      expect(seqs[0]).toBeGreaterThan(0);
    });

    it("stores a lane's calls in their order, whatever other lanes do", async () => {
      const broker = await storage.open();
      const lanes = ["a", "b", "c"].map((name) => ({ name, lane: {} }));
      const numbers = Array.from({ length: 100 }, (_, index) => index);
      await Promise.all(
        numbers.flatMap((number) =>
          lanes.map(({ name, lane }) => broker.publish(LOBBY, message(LOBBY, `${name}${number}`), { lane })),
        ),
      );
      const texts = textsOf((await broker.history(LOBBY, { limit: 1_000 })).events);
      expect(texts).toHaveLength(300);
      for (const { name } of lanes) {
        expect(texts.filter((text) => text.startsWith(name))).toEqual(numbers.map((number) => `${name}${number}`));
      }
    });

    describe("with a dedupe id", () => {
      it("stores the same id once, and answers every retry with the first seq", async () => {
        const broker = await storage.open();
        const first = await broker.publish(LOBBY, message(LOBBY, "once"), { dedupeId: "id-1" });
        const retry = await broker.publish(LOBBY, message(LOBBY, "once"), { dedupeId: "id-1" });
        expect(first.duplicate).toBe(false);
        expect(retry).toEqual({ seq: first.seq, duplicate: true });
        expect(seqsOf((await broker.history(LOBBY, { limit: 10 })).events)).toEqual([first.seq]);
      });

      it("stores one of many retries that run at the same time", async () => {
        const broker = await storage.open();
        const retries = Array.from({ length: 20 }, () =>
          broker.publish(LOBBY, message(LOBBY, "once"), { dedupeId: "id-1" }),
        );
        const published = await Promise.all(retries);
        expect(new Set(published.map(({ seq }) => seq)).size).toBe(1);
        expect(published.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
        expect((await broker.history(LOBBY, { limit: 10 })).events).toHaveLength(1);
      });

      it("recognises the id in another room too, and stores nothing there", async () => {
        const broker = await storage.open();
        const first = await broker.publish(LOBBY, message(LOBBY, "once"), { dedupeId: "id-1" });
        const other = await broker.publish(TABLE, message(TABLE, "once"), { dedupeId: "id-1" });
        expect(other).toEqual({ seq: first.seq, duplicate: true });
        expect((await broker.history(TABLE, { limit: 10 })).events).toEqual([]);
      });

      it("delivers a retry to nobody", async () => {
        const broker = await storage.open();
        const heard = new Recorder();
        await broker.subscribe(LOBBY, heard);
        await broker.publish(LOBBY, message(LOBBY, "once"), { dedupeId: "id-1" });
        await broker.publish(LOBBY, message(LOBBY, "once"), { dedupeId: "id-1" });
        await say(broker, LOBBY, "end");
        expect(await heard.texts(2)).toEqual(["once", "end"]);
      });

      it("takes the same key with other content for another message", async () => {
        const broker = await storage.open();
        for (const text of ["yes", "no", "yes"]) {
          const id = dedupeId(LOBBY, "percy", "key-1", text);
          await broker.publish(LOBBY, message(LOBBY, text), { dedupeId: id });
        }
        expect(textsOf((await broker.history(LOBBY, { limit: 10 })).events)).toEqual(["yes", "no"]);
      });

      it("stores equal events without an id as often as they are published", async () => {
        const broker = await storage.open();
        const event = message(LOBBY, "again");
        await Promise.all([broker.publish(LOBBY, event), broker.publish(LOBBY, event)]);
        expect(textsOf((await broker.history(LOBBY, { limit: 10 })).events)).toEqual(["again", "again"]);
      });

      it("remembers the id of an event that was deleted since", async () => {
        const broker = await storage.open();
        const first = await broker.publish(LOBBY, message(LOBBY, "oops"), { dedupeId: "id-1" });
        await broker.publish(LOBBY, deletion(LOBBY, first.seq));
        const retry = await broker.publish(LOBBY, message(LOBBY, "oops"), { dedupeId: "id-1" });
        expect(retry).toEqual({ seq: first.seq, duplicate: true });
      });
    });

    describe("of a deletion", () => {
      it("wipes the event and stores the deletion", async () => {
        const broker = await storage.open();
        await say(broker, LOBBY, "one");
        const two = await say(broker, LOBBY, "two");
        await say(broker, LOBBY, "three");
        await broker.publish(LOBBY, deletion(LOBBY, two.seq));
        const { events, floor } = await broker.history(LOBBY, { limit: 10 });
        expect(textsOf(events)).toEqual(["one", "three", `deletes ${two.seq}`]);
        expect(events.map(({ prevSeq }) => prevSeq)).toEqual([0, events[0]?.seq, events[1]?.seq]);
        expect(floor).toBe(0);
      });

      it("leaves out a wiped last event, and a page that begins behind it is whole", async () => {
        const broker = await storage.open();
        const one = await say(broker, LOBBY, "one");
        const two = await say(broker, LOBBY, "two");
        const gone = await broker.publish(LOBBY, deletion(LOBBY, two.seq));
        const { events } = await broker.history(LOBBY, { after: one.seq, limit: 10 });
        expect(seqsOf(events)).toEqual([gone.seq]);
        expect(events[0]?.prevSeq).toBe(one.seq);
      });

      it("touches no other room", async () => {
        const broker = await storage.open();
        const safe = await say(broker, TABLE, "safe");
        await broker.publish(LOBBY, deletion(LOBBY, safe.seq));
        expect(textsOf((await broker.history(TABLE, { limit: 10 })).events)).toEqual(["safe"]);
        expect(textsOf((await broker.history(LOBBY, { limit: 10 })).events)).toEqual([`deletes ${safe.seq}`]);
      });

      it("is stored even when there is nothing to wipe, or no longer", async () => {
        const broker = await storage.open();
        const { seq } = await say(broker, LOBBY, "one");
        await broker.publish(LOBBY, deletion(LOBBY, seq));
        await broker.publish(LOBBY, deletion(LOBBY, seq));
        await broker.publish(LOBBY, deletion(LOBBY, 999_999));
        const texts = textsOf((await broker.history(LOBBY, { limit: 10 })).events);
        expect(texts).toEqual([`deletes ${seq}`, `deletes ${seq}`, "deletes 999999"]);
      });

      it("is delivered like any event, in the room's order", async () => {
        const broker = await storage.open();
        const heard = new Recorder();
        await broker.subscribe(LOBBY, heard);
        const { seq } = await say(broker, LOBBY, "oops");
        await broker.publish(LOBBY, deletion(LOBBY, seq));
        await say(broker, LOBBY, "end");
        expect(await heard.texts(3)).toEqual(["oops", `deletes ${seq}`, "end"]);
      });
    });
  });
}
