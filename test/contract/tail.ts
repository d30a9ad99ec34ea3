import { describe, expect, it } from "vitest";
import type { Unsubscribe } from "../../broker/broker.ts";
import { type Engine, useStorage } from "./engine.ts";
import { deletion, room, say, sayMany, seqsOf, textsOf } from "./events.ts";
import { Recorder } from "./recorder.ts";

const ROOMS = [room("lobby"), room("table:7@vip"), room("direct:anna|1:percy")] as const;
const [LOBBY, TABLE] = ROOMS;

/** The whole log: everything, in order, first stored then live. */
export function tailContract(engine: Engine): void {
  describe("tail", () => {
    const storage = useStorage(engine);

    it("brings every stored event of every room, and then live ones", async () => {
      const broker = await storage.open();
      for (const id of ROOMS) await say(broker, id, `stored in ${id}`);
      const heard = new Recorder();
      await broker.tail(0, heard.hear);
      await heard.texts(3);
      for (const id of ROOMS) await say(broker, id, `live in ${id}`);
      expect(await heard.texts(6)).toEqual([
        ...ROOMS.map((id) => `stored in ${id}`),
        ...ROOMS.map((id) => `live in ${id}`),
      ]);
      expect(heard.events.map((stored) => stored.room)).toEqual([...ROOMS, ...ROOMS]);
    });

    it("begins after the given seq, be it in the middle or at the end", async () => {
      const broker = await storage.open();
      const seqs = await sayMany(broker, LOBBY, 5);
      const [middle, end] = [new Recorder(), new Recorder()];
      await broker.tail(seqs[2] ?? 0, middle.hear);
      await broker.tail(await broker.logEnd(), end.hear);
      await say(broker, TABLE, "new");
      expect(await middle.texts(3)).toEqual(["m4", "m5", "new"]);
      expect(await end.texts(1)).toEqual(["new"]);
    });

    it("brings nothing up to the given seq, even when the log has not come that far", async () => {
      const broker = await storage.open();
      const first = await say(broker, LOBBY, "one");
      const heard = new Recorder();
      await broker.tail(first.seq + 1, heard.hear);
      const seqs = await sayMany(broker, LOBBY, 5);
      const expected = seqs.filter((seq) => seq > first.seq + 1);
      await heard.texts(expected.length);
      expect(seqsOf(heard.events)).toEqual(expected);
    });

    it("leaves out what was wiped, and tells of the deletion", async () => {
      const broker = await storage.open();
      const oops = await say(broker, LOBBY, "oops");
      await broker.publish(LOBBY, deletion(LOBBY, oops.seq));
      const heard = new Recorder();
      await broker.tail(0, heard.hear);
      expect(await heard.texts(1)).toEqual([`deletes ${oops.seq}`]);
    });

    it("has no hole and no duplicate while events are published", async () => {
      const broker = await storage.open();
      const publishing = ROOMS.map((id) => sayMany(broker, id, 1_500));
      const recorders: Recorder[] = [];
      for (let count = 0; count < 5; count++) {
        const heard = new Recorder();
        recorders.push(heard);
        await broker.tail(0, heard.hear);
      }
      const seqs = (await Promise.all(publishing)).flat().sort((a, b) => a - b);
      for (const heard of recorders) {
        await heard.seq(seqs.at(-1) ?? 0);
        expect(seqsOf(heard.events)).toEqual(seqs);
      }
    });

    it("says when everything stored before was heard, be there nothing of it left", async () => {
      const broker = await storage.open();
      const stored = await sayMany(broker, LOBBY, 1_200);
      const [all, none] = [new Recorder(), new Recorder()];
      const caughtUp = [all, none].map(() => Promise.withResolvers<number>());
      await broker.tail(0, all.hear, () => caughtUp[0]?.resolve(all.events.length));
      await broker.tail(stored.at(-1) ?? 0, none.hear, () => caughtUp[1]?.resolve(none.events.length));
      expect(await Promise.all(caughtUp.map(({ promise }) => promise))).toEqual([1_200, 0]);
    });

    it("ends when it is told to, also from within", async () => {
      const broker = await storage.open();
      const heard = new Recorder();
      const all = new Recorder();
      const end: Unsubscribe = await broker.tail(0, (stored) => {
        heard.hear(stored);
        if (heard.events.length === 2) end();
      });
      await broker.tail(0, all.hear);
      await say(broker, LOBBY, "one");
      await heard.texts(1);
      await sayMany(broker, LOBBY, 3);
      await all.texts(4);
      await heard.texts(2);
      end();
      expect(textsOf(heard.events)).toEqual(["one", "m1"]);
    });
  });
}
