import { describe, expect, it } from "vitest";
import { Crowd, newRoom, texts } from "../../support/crowd.ts";
import type { Topology } from "../../support/topology.ts";

/** Exactly once under retry: what is recognised as a retry, and what is not. */
export function dedupe(topology: Topology): void {
  describe("retries", { concurrent: true }, () => {
    it("stores a repeated client_msg_id once and gives every retry the first one's seq", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("retry");
      const ann = await crowd.join(room);
      const first = await ann.say(room, "pay 5", { client_msg_id: "key" });
      expect(first.duplicate).toBe(false);
      for (let attempt = 0; attempt < 3; attempt++) {
        const retry = await ann.say(room, "pay 5", { client_msg_id: "key" });
        expect(retry).toMatchObject({ seq: first.seq, message_id: first.message_id, duplicate: true });
      }
      expect(texts(await ann.request("get_history", { room_id: room }))).toEqual(["pay 5"]);
      await ann.say(room, "end");
      await ann.next("new_message", (message) => message.message === "end");
      expect(ann.all("new_message").map((frame) => frame.payload.message)).toEqual(["pay 5", "end"]);
    });

    it("recognises retries sent at once", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("at-once");
      const ann = await crowd.join(room);
      const acks = await Promise.all(
        Array.from({ length: 20 }, () => ann.say(room, "only one", { client_msg_id: "same" })),
      );
      expect(new Set(acks.map((ack) => ack.seq)).size).toBe(1);
      expect(acks.filter((ack) => !ack.duplicate)).toHaveLength(1);
    });

    it("takes the frame's id when there is no client_msg_id", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("frame-id");
      const ann = await crowd.join(room);
      const frame = { room_id: room, message: "hello" };
      const first = await ann.request("send_message", frame, { id: "frame-id" });
      const retry = await ann.request("send_message", frame, { id: "frame-id" });
      expect(retry).toMatchObject({ seq: first.seq, duplicate: true });
    });

    it("recognises a retry of the same guest on a new connection", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("moved");
      const ann = await crowd.join(room);
      const first = await ann.say(room, "hello", { client_msg_id: "key" });
      ann.terminate();
      const back = await crowd.resume(ann.welcome.session);
      await back.request("join_room", { room_id: room });
      expect(await back.say(room, "hello", { client_msg_id: "key" })).toMatchObject({
        seq: first.seq,
        duplicate: true,
      });
    });

    it("takes other content, another user, another room or no key for another message", async () => {
      await using crowd = new Crowd(topology);
      const [room, other] = [newRoom("other"), newRoom("elsewhere")];
      const [ann, bob] = [await crowd.join(room), await crowd.join(room)];
      await ann.request("join_room", { room_id: other });
      const acks = [
        await ann.say(room, "hello", { client_msg_id: "key" }),
        await ann.say(room, "hello!", { client_msg_id: "key" }),
        await bob.say(room, "hello", { client_msg_id: "key" }),
        await ann.say(other, "hello", { client_msg_id: "key" }),
      ];
      expect(acks.map((ack) => ack.duplicate)).toEqual([false, false, false, false]);
      expect(new Set(acks.map((ack) => ack.seq)).size).toBe(4);
      ann.send("send_message", { room_id: room, message: "keyless" });
      ann.send("send_message", { room_id: room, message: "keyless" });
      await bob.next("new_message", (message) => message.message === "keyless", { what: "keyless, once" });
      await bob.next("new_message", (message) => message.message === "keyless", { what: "keyless, twice" });
    });
  });
}
