import { describe, expect, it } from "vitest";
import { Crowd, newRoom } from "../../support/crowd.ts";
import type { Topology } from "../../support/topology.ts";

/** What a message may hold, deleting it, and typing. */
export function messages(topology: Topology): void {
  describe("messages", { concurrent: true }, () => {
    it("are deleted by their author, for everyone and for good", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("delete");
      const [ann, bob] = [await crowd.join(room), await crowd.join(room)];
      const { seq } = await ann.say(room, "oops");
      const ack = await ann.request("delete_message", { room_id: room, seq });
      for (const client of [ann, bob]) {
        expect((await client.next("message_deleted")).payload).toEqual({
          room_id: room,
          seq: ack.seq,
          prev_seq: expect.any(Number),
          sent: expect.any(String),
          deleted_seq: seq,
          by_uid: ann.uid,
        });
      }
      const { events } = await bob.request("get_history", { room_id: room });
      expect(events.map((event) => event.type)).toEqual(["message_deleted"]);
      expect(JSON.stringify(events)).not.toContain("oops");
    });

    it("are not deleted by others, nor when there is none", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("protected");
      const [ann, bob] = [await crowd.join(room), await crowd.join(room)];
      const { seq } = await ann.say(room, "mine");
      expect((await bob.refused("delete_message", { room_id: room, seq })).code).toBe("permission_denied");
      const error = await ann.refused("delete_message", { room_id: room, seq: seq + 1_000_000 });
      expect(error.code).toBe("invalid_argument");
      const { events } = await ann.request("get_history", { room_id: room });
      expect(events.map((event) => event.payload.message)).toEqual(["mine"]);
    });

    it("hold 4,000 characters of any script, counted in code points", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("long");
      const [ann, bob] = [await crowd.join(room), await crowd.join(room)];
      const longest = "\u{1f600}".repeat(4_000);
      await ann.say(room, longest);
      expect((await bob.next("new_message")).payload.message).toBe(longest);
      expect((await ann.refused("send_message", { room_id: room, message: `${longest}x` })).code).toBe(
        "message_too_large",
      );
    });

    it.each([
      ["nothing at all", {}],
      ["empty text", { message: "" }],
      ["text that is a number", { message: 5 }],
      ["text that is null", { message: null }],
      ["text that is an object", { message: { toString: "x" } }],
      ["a picture over http", { message: "x", image_url: "http://example.com/a.png" }],
      ["a picture that is a script", { message: "x", image_url: "javascript:alert(1)" }],
      ["a picture's address of 2,049 characters", { message: "x", image_url: `https://e.com/${"a".repeat(2_035)}` }],
      ["a from of 65 characters", { message: "x", from: "f".repeat(65) }],
      ["a client_msg_id of 65 characters", { message: "x", client_msg_id: "c".repeat(65) }],
    ])("are refused with %s", async (_, content) => {
      await using crowd = new Crowd(topology);
      const room = newRoom("refused");
      const ann = await crowd.join(room);
      expect((await ann.refused("send_message", { room_id: room, ...content })).code).toBe("invalid_argument");
    });

    it("come back as they were written, unknown fields ignored and the server's own fields kept", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("verbatim");
      const [ann, bob] = [await crowd.join(room), await crowd.join(room)];
      const text = '<script>alert(1)</script> " \\ \u0000 \u2028 \u202e é e\u0301 \n\r\t';
      await ann.say(room, text, {
        uid: "admin",
        username: "admin",
        seq: 1,
        sent: "1970-01-01T00:00:00Z",
        nonsense: [],
      });
      const { payload } = await bob.next("new_message");
      expect(payload.message).toBe(text);
      expect(payload).toMatchObject({ uid: ann.uid, username: ann.welcome.username });
      expect(payload.seq).toBeGreaterThanOrEqual(1);
      expect(Math.abs(Date.parse(payload.sent) - Date.now())).toBeLessThan(60_000);
      expect(payload).not.toHaveProperty("nonsense");
    });

    it("typing is told to the others at most once per 2 s, and is not stored", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("typing");
      const [ann, bob] = [await crowd.join(room), await crowd.join(room)];
      await ann.request("typing", { room_id: room });
      ann.send("typing", { room_id: room });
      ann.send("typing", { room_id: room });
      expect((await bob.next("typing")).payload).toEqual({
        room_id: room,
        uid: ann.uid,
        username: ann.welcome.username,
      });
      await bob.request("typing", { room_id: room });
      await ann.next("typing", (typing) => typing.uid === bob.uid);
      await ann.say(room, "done");
      await bob.next("new_message");
      expect(bob.all("typing").filter((frame) => frame.payload.uid === ann.uid)).toHaveLength(1);
      const { events } = await ann.request("get_history", { room_id: room });
      expect(events.map((event) => event.type)).toEqual(["new_message"]);
    });
  });
}
