import { describe, expect, it } from "vitest";
import { Crowd, newRoom } from "../../support/crowd.ts";
import type { Topology } from "../../support/topology.ts";

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/** What a client meets first: the seed's conversation, welcome, ids, and the room it lands in. */
export function conversation(topology: Topology): void {
  describe("conversation", { concurrent: true }, () => {
    it("is the seed's, byte for byte, with no other step", async () => {
      await using crowd = new Crowd(topology);
      const reader = await crowd.open({ query: {} });
      await reader.next("room_joined");
      const percy = await crowd.open({ query: {} });
      percy.sendText('{ "type": "send_message", "payload": { "message": "sdfsdf", "from": "percy" } }');
      for (const client of [reader, percy]) {
        const { payload } = await client.next("new_message", (message) => message.message === "sdfsdf");
        expect(payload).toMatchObject({ room_id: "general", from: "percy" });
        expect(payload.sent).toMatch(RFC_3339);
      }
    });

    it("works over the browser's WebSocket, with and without the subprotocol", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("native");
      const plain = await crowd.open({ transport: "native", query: { room_id: room } });
      const named = await crowd.open({
        transport: "native",
        query: { room_id: room },
        protocols: ["baccarat.v1.json"],
      });
      expect(plain.protocol).toBe("");
      expect(named.protocol).toBe("baccarat.v1.json");
      await plain.next("room_joined");
      await named.next("room_joined");
      const ack = await named.request("send_message", { message: "hello" });
      const { payload } = await plain.next("new_message");
      expect(payload).toMatchObject({ room_id: room, message: "hello", seq: ack.seq, message_id: ack.message_id });
    });

    it("welcomes a guest with everything it needs to know", async () => {
      await using crowd = new Crowd(topology);
      const ann = await crowd.connect({ query: { room_id: "", username: "Ann", avatar_id: "cat" } });
      expect(ann.welcome).toEqual({
        client_id: expect.stringMatching(/./),
        uid: expect.stringMatching(/^[A-Za-z0-9_.@|-]{1,64}$/),
        username: "Ann",
        avatar_id: "cat",
        edge_id: expect.stringMatching(/./),
        session: expect.stringMatching(/^.{22,}$/),
        heartbeat_ms: 8_000,
        token_expires_at: null,
        direct: [],
        epoch: expect.stringMatching(/./),
        limits: {
          max_frame_bytes: 65_536,
          max_message_chars: 4_000,
          max_rooms: 128,
          messages_per_second: expect.any(Number),
          message_burst: expect.any(Number),
          max_history: 300,
        },
      });
      const bob = await crowd.connect();
      expect(bob.welcome).not.toHaveProperty("avatar_id");
      expect(bob.welcome.username).not.toBe("");
      expect(bob.uid).not.toBe(ann.uid);
      expect(bob.welcome.client_id).not.toBe(ann.welcome.client_id);
    });

    it("joins the default room when the client names none, the named one otherwise, and none when it is empty", async () => {
      await using crowd = new Crowd(topology);
      const general = await crowd.open({ query: {} });
      const joined = await general.next("room_joined");
      expect(joined).toMatchObject({ type: "room_joined", payload: { room_id: "general" } });
      expect(joined).not.toHaveProperty("id");

      const room = newRoom("named");
      const named = await crowd.open({ query: { room_id: room } });
      expect((await named.next("room_joined")).payload).toMatchObject({ room_id: room, count: 1 });

      const nowhere = await crowd.connect({ query: { room_id: "" } });
      expect(await nowhere.refused("send_message", { message: "to whom?" })).toMatchObject({
        code: "invalid_argument",
        request_type: "send_message",
      });
      expect(nowhere.all("room_joined")).toEqual([]);
    });

    it("replies once to a frame with an id, carrying it, and sends no ack without one", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("ids");
      const ann = await crowd.join(room);
      ann.send("send_message", { room_id: room, message: "unacked" });
      const longest = "i".repeat(64);
      const ack = await ann.request("send_message", { room_id: room, message: "acked" }, { id: longest });
      const own = await ann.next("new_message", (message) => message.message === "acked");
      expect(own.payload).toMatchObject({ seq: ack.seq, client_msg_id: longest });
      expect(own).not.toHaveProperty("id");
      expect((await ann.request("ping")).time).toMatch(RFC_3339);
      expect(ann.all("ack").map((frame) => frame.id)).toEqual([longest]);
      expect(ack).toEqual({
        room_id: room,
        message_id: expect.stringMatching(/./),
        seq: expect.any(Number),
        sent: expect.stringMatching(RFC_3339),
        duplicate: false,
      });
    });

    it("sends errors and other replies without an id when the frame had none", async () => {
      await using crowd = new Crowd(topology);
      const ann = await crowd.connect();
      ann.send("no_such_type", {});
      const error = await ann.next("error");
      expect(error).not.toHaveProperty("id");
      expect(error.payload).toEqual({
        code: "unknown_type",
        message: expect.any(String),
        retryable: false,
        retry_after_ms: 0,
        request_type: "no_such_type",
      });
      ann.send("ping", {});
      expect(await ann.next("pong")).not.toHaveProperty("id");
    });
  });
}
