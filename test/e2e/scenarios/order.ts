import { describe, expect, it } from "vitest";
import { Crowd, newRoom, seqsSeen } from "../../support/crowd.ts";
import { eventually } from "../../support/eventually.ts";
import { type Frame, isFrame, type NewMessage } from "../../support/frame-types.ts";
import type { Topology } from "../../support/topology.ts";

const MESSAGES = 10_000;
const READERS = 100;

/** One total order per room, the order of sending for each connection, and an ack for each message. */
export function order(topology: Topology): void {
  describe("order", () => {
    it("stores and acknowledges one connection's pipelined messages in the order sent", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("pipeline");
      const [ann, bob] = [await crowd.join(room), await crowd.join(room)];
      const acks = await Promise.all(Array.from({ length: 200 }, (_, index) => ann.say(room, `${index}`)));
      const seqs = acks.map((ack) => ack.seq);
      expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
      expect(new Set(seqs).size).toBe(200);
      await bob.next("new_message", (message) => message.message === "199");
      expect(bob.all("new_message").map((frame) => frame.payload.message)).toEqual(acks.map((_, index) => `${index}`));
      expect(seqsSeen(bob, room)).toEqual(seqs);
      for (const { payload } of bob.all("new_message")) expect(payload.prev_seq).toBeLessThan(payload.seq);
    });

    it("is the same for everyone when many write at once", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("many");
      const writers = await crowd.joinMany(10, room, () => ({}));
      const sent = writers.flatMap((writer, index) =>
        Array.from({ length: 50 }, (_, number) => writer.say(room, `${index}/${number}`)),
      );
      const acks = await Promise.all(sent);
      const expected = acks.map((ack) => ack.seq).sort((a, b) => a - b);
      for (const writer of writers) {
        await eventually("all messages", () => seqsSeen(writer, room).length === expected.length);
        expect(seqsSeen(writer, room)).toEqual(expected);
      }
      const history = await writers[0]?.request("get_history", { room_id: room, limit: 300 });
      expect(history?.events.map((event) => event.payload.seq)).toEqual(expected.slice(-300));
    });

    it(`gives ${MESSAGES} messages pipelined by one client to ${READERS} members, all in the same order, all acknowledged`, {
      timeout: 120_000,
    }, async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("flood");
      const tapes = Array.from({ length: READERS }, () => new Tape(room));
      await crowd.joinMany(READERS, room, (index) => ({ onFrame: (frame) => tapes[index]?.record(frame) !== true }));
      const acks: number[] = [];
      const refusals: Frame[] = [];
      const writer = await crowd.join(room, {
        onFrame: (frame) => {
          if (isFrame(frame, "ack")) acks.push(frame.payload.seq);
          else if (isFrame(frame, "error")) refusals.push(frame);
          return !isFrame(frame, "new_message") && !isFrame(frame, "ack");
        },
      });
      for (let index = 0; index < MESSAGES; index++) {
        writer.send("send_message", { room_id: room, message: `${index}` }, `flood-${index}`);
      }
      await eventually(`${MESSAGES} acks`, () => refusals.length > 0 || acks.length === MESSAGES, {
        withinMs: 60_000,
        state: () => acks.length,
      });
      expect(refusals).toEqual([]);
      for (const tape of tapes) {
        await eventually(`${MESSAGES} messages`, () => tape.seqs.length === MESSAGES, {
          withinMs: 60_000,
          state: () => tape.seqs.length,
        });
        expect(tape.outOfOrder).toEqual([]);
        expect(tape.seqs).toEqual(acks);
      }
    });
  });
}

/** What one of very many readers remembers. */
class Tape {
  readonly seqs: number[] = [];
  readonly outOfOrder: NewMessage[] = [];
  readonly #room: string;

  constructor(room: string) {
    this.#room = room;
  }

  /** True when the frame was one of the room's messages. */
  record(frame: Frame): boolean {
    if (!isFrame(frame, "new_message") || frame.payload.room_id !== this.#room) return false;
    if (frame.payload.message !== `${this.seqs.length}`) this.outOfOrder.push(frame.payload);
    this.seqs.push(frame.payload.seq);
    return true;
  }
}
