import { describe, expect, it } from "vitest";
import type { TestClient } from "../../support/client.ts";
import { Crowd, newRoom, seqsSeen, texts } from "../../support/crowd.ts";
import type { Topology } from "../../support/topology.ts";

/** Coming back: all or nothing, with no hole and no duplicate between what was missed and what comes live. */
export function recovery(topology: Topology): void {
  describe("recovery", { concurrent: true }, () => {
    it("gives exactly what was missed, in order, at any edge", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("missed");
      const ann = await crowd.join(room, { edge: 0 });
      const bob = await crowd.connect({ edge: 0 });
      const { epoch } = await bob.request("join_room", { room_id: room });
      const { seq } = await ann.say(room, "seen");
      await bob.next("new_message");
      await bob.close();
      const missed = [];
      for (const text of ["one", "two", "three"]) missed.push(await ann.say(room, text));
      for (const edge of [0, 1]) {
        const back = await crowd.connect({ edge });
        const joined = await back.request("join_room", { room_id: room, since: { epoch, seq } });
        expect(joined).toMatchObject({ recovered: true, epoch });
        expect(joined).not.toHaveProperty("reason");
        expect(texts(joined)).toEqual(["one", "two", "three"]);
        expect(joined.events.map((event) => event.payload.seq)).toEqual(missed.map((ack) => ack.seq));
        expect(joined.seq).toBeGreaterThanOrEqual(missed.at(-1)?.seq ?? 0);
        const atEnd = await back.request("join_room", { room_id: room, since: { epoch, seq: joined.seq } });
        expect(atEnd).toMatchObject({ recovered: true, events: [] });
      }
    });

    it("takes room_joined.seq for a position, also of an empty room", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("empty");
      const first = await crowd.connect();
      const { epoch, seq } = await first.request("join_room", { room_id: room });
      await first.say(room, "later");
      const second = await crowd.connect();
      const joined = await second.request("join_room", { room_id: room, since: { epoch, seq } });
      expect(joined.recovered).toBe(true);
      expect(texts(joined)).toEqual(["later"]);
    });

    it("recovers 300 events and refuses 301 with too_many", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("many");
      const ann = await crowd.join(room);
      const { epoch } = await ann.request("join_room", { room_id: room });
      const acks = await Promise.all(Array.from({ length: 302 }, (_, index) => ann.say(room, `${index}`)));
      const since = (index: number) => ({ epoch, seq: acks[index]?.seq ?? 0 });
      const bob = await crowd.connect();
      const whole = await bob.request("join_room", { room_id: room, since: since(1) });
      expect(whole.recovered).toBe(true);
      expect(whole.events.map((event) => event.payload.seq)).toEqual(acks.slice(2).map((ack) => ack.seq));
      const carl = await crowd.connect();
      expect(await carl.request("join_room", { room_id: room, since: since(0) })).toMatchObject({
        recovered: false,
        reason: "too_many",
        events: [],
      });
    });

    it("refuses positions of another log and positions nobody gave out", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("positions");
      const ann = await crowd.join(room);
      const { seq } = await ann.say(room, "hello");
      const { epoch } = await ann.request("join_room", { room_id: room });
      const join = (since: object) => ann.request("join_room", { room_id: room, since });
      expect(await join({ epoch: "another", seq })).toMatchObject({ recovered: false, reason: "epoch_changed" });
      expect(await join({ epoch, seq: 2 ** 50 })).toMatchObject({ recovered: false, reason: "unknown_position" });
      for (const since of [{ epoch, seq: -1 }, { epoch, seq: 1.5 }, { epoch, seq: "x" }, { epoch: 5, seq }, "x", []]) {
        expect((await ann.refused("join_room", { room_id: room, since })).code).toBe("invalid_argument");
      }
    });

    it("recovers across deletions: the deletion is an event, the deleted message is not", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("deletions");
      const ann = await crowd.join(room);
      const { epoch } = await ann.request("join_room", { room_id: room });
      const first = await ann.say(room, "first");
      const doomed = await ann.say(room, "doomed");
      await ann.say(room, "last");
      await ann.request("delete_message", { room_id: room, seq: doomed.seq });
      const bob = await crowd.connect();
      for (const seq of [first.seq, doomed.seq]) {
        const joined = await bob.request("join_room", { room_id: room, since: { epoch, seq } });
        expect(joined.recovered).toBe(true);
        expect(joined.events.map((event) => event.payload.message ?? event.payload.deleted_seq)).toEqual([
          "last",
          doomed.seq,
        ]);
      }
    });

    it("joins in the middle of a storm of messages without a hole or a duplicate", { timeout: 60_000 }, async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("storm");
      const ann = await crowd.join(room);
      const { epoch, seq: start } = await ann.request("join_room", { room_id: room });
      const storm = new Storm(ann, room);
      const joiners: TestClient[] = [];
      for (let index = 0; index < 10; index++) {
        joiners.push(await crowd.join(room, { edge: index }));
        const historian = await crowd.connect({ edge: index });
        await historian.request("join_room", { room_id: room, history: 5 });
        joiners.push(historian);
      }
      // One leaves in the storm and comes back where it was.
      const lost = await crowd.connect();
      await lost.request("join_room", { room_id: room });
      await lost.next("new_message");
      await lost.close();
      const position = seqsSeen(lost, room).at(-1) ?? start;
      const back = await crowd.connect({ edge: 1 });
      const rejoined = await back.request("join_room", { room_id: room, since: { epoch, seq: position } });
      const seqs = await storm.end();
      const end = seqs.at(-1);
      for (const joiner of [...joiners, back]) {
        if (seqsSeen(joiner, room).at(-1) !== end) await joiner.next("new_message", (message) => message.seq === end);
        const seen = seqsSeen(joiner, room);
        expect(seen).toEqual(seqs.slice(seqs.indexOf(seen[0] ?? 0)));
      }
      if (rejoined.recovered) {
        expect([...seqsSeen(lost, room), ...seqsSeen(back, room)]).toEqual(
          seqs.slice(seqs.indexOf(seqsSeen(lost, room)[0] ?? 0)),
        );
      } else {
        expect(rejoined).toMatchObject({ reason: "too_many", events: [] });
      }
    });
  });
}

/** One client's messages, a window of them at a time, until told to end. */
class Storm {
  readonly #done: Promise<number[]>;
  #over = false;

  constructor(client: TestClient, room: string) {
    this.#done = this.#rage(client, room);
  }

  /** Ends it; resolves with the seqs of all messages. */
  end(): Promise<number[]> {
    this.#over = true;
    return this.#done;
  }

  async #rage(client: TestClient, room: string): Promise<number[]> {
    const seqs: number[] = [];
    while (!this.#over) {
      const acks = await Promise.all(Array.from({ length: STORM_WINDOW }, (_, index) => client.say(room, `${index}`)));
      seqs.push(...acks.map((ack) => ack.seq));
    }
    return seqs;
  }
}

/** Enough for the storm never to pause, and few enough for recovery to stay within 300 events at times. */
const STORM_WINDOW = 20;
