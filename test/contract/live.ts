import { equals } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import type { Broker, StoredEvent } from "../../broker/broker.ts";
import { EventSchema } from "../../gen/baccarat/v1/event_pb.ts";
import { eventually } from "../support/eventually.ts";
import { type Engine, useStorage } from "./engine.ts";
import { chainFaults, message, room, say, sayMany, seqsOf, textsOf, typing } from "./events.ts";
import { Recorder } from "./recorder.ts";

const LOBBY = room("lobby");
const TABLE = room("table:7@vip");
const DIRECT = room("direct:anna|1:percy");
const OTHER_DIRECT = room("direct:bert:carl");

/** Subscriptions: what is heard, by whom, and how it joins with history. */
export function liveContract(engine: Engine): void {
  describe("live delivery", () => {
    const storage = useStorage(engine);

    it("brings a room's events, in order and as they were published", async () => {
      const broker = await storage.open();
      const heard = new Recorder();
      await broker.subscribe(LOBBY, heard);
      const event = message(LOBBY, "Grüße 👋🏽");
      const { seq } = await broker.publish(LOBBY, event);
      const seqs = await sayMany(broker, LOBBY, 50);
      await heard.texts(51);
      expect(seqsOf(heard.events)).toEqual([seq, ...seqs]);
      expect(chainFaults(heard.events)).toEqual([]);
      const [first] = heard.events;
      expect(first?.room).toBe(LOBBY);
      expect(first && equals(EventSchema, first.event, event)).toBe(true);
    });

    it("chains events to those that were stored before the subscription", async () => {
      const broker = await storage.open();
      const before = await say(broker, LOBBY, "before");
      await say(broker, TABLE, "elsewhere");
      const heard = new Recorder();
      await broker.subscribe(LOBBY, heard);
      await sayMany(broker, LOBBY, 2);
      await heard.texts(2);
      const [first, second] = heard.events;
      // 0 is allowed: unknown. What is told must be true.
      expect([0, before.seq]).toContain(first?.prevSeq);
      expect([0, first?.seq]).toContain(second?.prevSeq);
    });

    it("brings nothing of other rooms", async () => {
      const broker = await storage.open();
      const [lobby, table] = [new Recorder(), new Recorder()];
      await broker.subscribe(LOBBY, lobby);
      await broker.subscribe(TABLE, table);
      await say(broker, LOBBY, "to the lobby");
      await say(broker, TABLE, "to the table");
      await say(broker, LOBBY, "to the lobby again");
      expect(await lobby.texts(2)).toEqual(["to the lobby", "to the lobby again"]);
      expect(await table.texts(1)).toEqual(["to the table"]);
    });

    it("ends with the subscription, for that listener alone", async () => {
      const broker = await storage.open();
      const [lobby, table] = [new Recorder(), new Recorder()];
      const unsubscribe = await broker.subscribe(LOBBY, lobby);
      await broker.subscribe(TABLE, table);
      await say(broker, LOBBY, "heard");
      await lobby.texts(1);
      unsubscribe();
      unsubscribe();
      await say(broker, LOBBY, "not heard");
      await say(broker, TABLE, "end");
      await table.texts(1);
      expect(textsOf(lobby.events)).toEqual(["heard"]);
      await broker.subscribe(LOBBY, lobby);
      await say(broker, LOBBY, "heard again");
      expect(await lobby.texts(2)).toEqual(["heard", "heard again"]);
    });

    it("brings all direct conversations to a direct subscriber, and no other room", async () => {
      const broker = await storage.open();
      const [direct, conversation] = [new Recorder(), new Recorder()];
      const unsubscribe = await broker.subscribeDirect(direct.hear);
      await broker.subscribe(DIRECT, conversation);
      await say(broker, DIRECT, "to percy");
      await say(broker, LOBBY, "to the lobby");
      await say(broker, OTHER_DIRECT, "to carl");
      expect(await direct.texts(2)).toEqual(["to percy", "to carl"]);
      expect(direct.events.map((stored) => stored.room)).toEqual([DIRECT, OTHER_DIRECT]);
      expect(await conversation.texts(1)).toEqual(["to percy"]);
      unsubscribe();
      await say(broker, DIRECT, "end");
      await conversation.texts(2);
      expect(direct.events).toHaveLength(2);
    });

    it("brings signals to the room's subscribers, and stores nothing", async () => {
      const broker = await storage.open();
      const [lobby, table] = [new Recorder(), new Recorder()];
      await broker.subscribe(LOBBY, lobby);
      await broker.subscribe(TABLE, table);
      const end = await broker.logEnd();
      broker.signal(LOBBY, typing(LOBBY, "percy"));
      broker.signal(TABLE, typing(TABLE, "anna"));
      await Promise.all([lobby.signalCount(1), table.signalCount(1)]);
      expect(lobby.signals.map(({ body }) => body.value)).toMatchObject([{ uid: "percy" }]);
      expect(table.signals.map(({ body }) => body.value)).toMatchObject([{ uid: "anna" }]);
      expect(await broker.logEnd()).toBe(end);
      expect((await broker.history(LOBBY, { limit: 10 })).events).toEqual([]);
    });

    it("joins with history without hole or duplicate while others publish", async () => {
      const broker = await storage.open();
      const publishers = ["a", "b", "c", "d"].map((prefix) => sayMany(broker, LOBBY, 250, prefix));
      const joiners = await Promise.all(Array.from({ length: 5 }, () => join(broker)));
      const seqs = (await Promise.all(publishers)).flat().sort((a, b) => a - b);
      // One more, so that a lost last event shows.
      const end = await say(broker, LOBBY, "end");
      for (const joiner of joiners) {
        await eventually("the joiner to have everything", async () => {
          const events = await joiner();
          return events.at(-1)?.seq === end.seq;
        });
        expect(seqsOf(await joiner())).toEqual([...seqs, end.seq]);
      }
    });
  });
}

/**
 * Joins a room as an edge does: subscribes, reads history, goes on with what was heard since. Returns what a member would
 * have got by now: live events may be missing, then their chain shows it and history has them.
 */
async function join(broker: Broker): Promise<() => Promise<readonly StoredEvent[]>> {
  const heard = new Recorder();
  await broker.subscribe(LOBBY, heard);
  const { events, seq } = await broker.history(LOBBY, { limit: 10_000 });
  const got = [...events];
  let last = seq;
  return async () => {
    for (const stored of heard.events.splice(0)) {
      if (stored.seq <= last) continue;
      if (stored.prevSeq > last) got.push(...(await missing(broker, last, stored.seq)));
      got.push(stored);
      last = stored.seq;
    }
    return got;
  };
}

async function missing(broker: Broker, after: number, before: number): Promise<StoredEvent[]> {
  const { events } = await broker.history(LOBBY, { after, limit: 10_000 });
  return events.filter(({ seq }) => seq < before);
}
