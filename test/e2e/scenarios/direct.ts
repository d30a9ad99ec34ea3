import { describe, expect, it } from "vitest";
import { Crowd, newRoom, texts } from "../../support/crowd.ts";
import type { Topology } from "../../support/topology.ts";

/** Messages from one user to another. */
export function direct(topology: Topology): void {
  describe("direct messages", { concurrent: true }, () => {
    it("reach recipient and sender wherever they are connected, and nobody else", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("same-room");
      const [ann, bob, eve] = [await crowd.join(room), await crowd.join(room), await crowd.join(room)];
      const conversation = `direct:${[ann.uid, bob.uid].sort().join(":")}`;
      const ack = await ann.request("send_message", { to_uid: bob.uid, message: "psst" });
      expect(ack).toMatchObject({ room_id: conversation, duplicate: false });
      for (const client of [ann, bob]) {
        expect((await client.next("new_message")).payload).toMatchObject({
          room_id: conversation,
          uid: ann.uid,
          to_uid: bob.uid,
          message: "psst",
          seq: ack.seq,
          message_id: ack.message_id,
        });
      }
      await bob.request("send_message", { to_uid: ann.uid, message: "what?" });
      await ann.next("new_message", (message) => message.message === "what?" && message.room_id === conversation);
      await ann.say(room, "everyone");
      await eve.next("new_message");
      expect(eve.all("new_message").map((frame) => frame.payload.message)).toEqual(["everyone"]);
    });

    it("are a room of two with history, which only these two read and write", async () => {
      await using crowd = new Crowd(topology);
      const [ann, bob, eve] = [await crowd.connect(), await crowd.connect(), await crowd.connect()];
      const { room_id: conversation, seq } = await ann.request("send_message", { to_uid: bob.uid, message: "secret" });
      for (const client of [ann, bob]) {
        expect(texts(await client.request("get_history", { room_id: conversation }))).toEqual(["secret"]);
        const joined = await client.request("join_room", { room_id: conversation, history: 10 });
        expect(texts(joined)).toEqual(["secret"]);
      }
      await bob.request("send_message", { room_id: conversation, message: "answer" });
      await ann.next("new_message", (message) => message.message === "answer" && message.to_uid === ann.uid);
      for (const [type, payload] of [
        ["get_history", { room_id: conversation }],
        ["join_room", { room_id: conversation, history: 10 }],
        ["send_message", { room_id: conversation, message: "me too" }],
        ["delete_message", { room_id: conversation, seq }],
        ["get_members", { room_id: conversation }],
      ] as const) {
        expect((await eve.refused(type, payload)).code, type).toBe("permission_denied");
      }
      expect(eve.all("new_message")).toEqual([]);
    });

    it("are stored once under retry", async () => {
      await using crowd = new Crowd(topology);
      const [ann, bob] = [await crowd.connect(), await crowd.connect()];
      const send = () => ann.request("send_message", { to_uid: bob.uid, message: "once", client_msg_id: "key" });
      const first = await send();
      expect(await send()).toMatchObject({ seq: first.seq, duplicate: true });
      expect(texts(await bob.request("get_history", { room_id: first.room_id }))).toEqual(["once"]);
    });

    it("are refused to nobody, to oneself and to a room at the same time", async () => {
      await using crowd = new Crowd(topology);
      const [ann, bob] = [await crowd.connect(), await crowd.connect()];
      for (const payload of [
        { to_uid: `nobody-${crypto.randomUUID()}`, message: "x" },
        { to_uid: ann.uid, message: "x" },
        { to_uid: "no uid", message: "x" },
        { to_uid: bob.uid, room_id: newRoom("both"), message: "x" },
        { room_id: `direct:${bob.uid}:${bob.uid}`, message: "x" },
        { room_id: "direct:", message: "x" },
      ]) {
        expect((await ann.refused("send_message", payload)).code, JSON.stringify(payload)).toBe("invalid_argument");
      }
    });

    it("wait for a guest who was away", async () => {
      await using crowd = new Crowd(topology);
      const [ann, bob] = [await crowd.connect(), await crowd.connect()];
      await bob.request("ping");
      await bob.close();
      const { room_id: conversation } = await ann.request("send_message", { to_uid: bob.uid, message: "later" });
      const back = await crowd.resume(bob.welcome.session);
      expect(texts(await back.request("get_history", { room_id: conversation }))).toEqual(["later"]);
    });
  });
}
