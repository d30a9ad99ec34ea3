import { describe, expect, it } from "vitest";
import { Crowd, newRoom, texts } from "../../support/crowd.ts";
import { RpcClient } from "../../support/rpc.ts";
import type { Topology } from "../../support/topology.ts";

/** Joining, leaving, changing rooms, and which room a message without one goes to. */
export function rooms(topology: Topology): void {
  describe("rooms", { concurrent: true }, () => {
    it("sends a message without a room to the current one, and to the one before when that is left", async () => {
      await using crowd = new Crowd(topology);
      const [first, second] = [newRoom("first"), newRoom("second")];
      const ann = await crowd.join(first);
      await ann.request("join_room", { room_id: second });
      expect((await ann.request("send_message", { message: "1" })).room_id).toBe(second);
      expect((await ann.request("leave_room", { room_id: second })).room_id).toBe(second);
      expect((await ann.request("send_message", { message: "2" })).room_id).toBe(first);
      await ann.request("leave_room", { room_id: first });
      expect(await ann.refused("send_message", { message: "3" })).toMatchObject({ code: "invalid_argument" });
      expect(await ann.refused("send_message", { message: "4", room_id: first })).toMatchObject({
        code: "not_a_member",
      });
    });

    it("change_room joins the new room and then leaves the current one", async () => {
      await using crowd = new Crowd(topology);
      const [old, next] = [newRoom("old"), newRoom("next")];
      const witness = await crowd.join(old);
      const ann = await crowd.join(old);
      expect(await ann.request("change_room", { room_id: next })).toMatchObject({ room_id: next, count: 1 });
      await witness.next("member_left", (left) => left.uid === ann.uid, { withinMs: 1_000 });
      expect((await ann.request("send_message", { message: "here" })).room_id).toBe(next);
      expect((await ann.refused("send_message", { message: "there", room_id: old })).code).toBe("not_a_member");
    });

    it("change_room that fails leaves the old room as it was", async () => {
      await using crowd = new Crowd(topology);
      const rpc = new RpcClient(topology.rpcs[0] ?? "");
      const [old, deleted] = [newRoom("kept"), newRoom("deleted")];
      await rpc.call("RoomService/CreateRoom", { room: { room_id: deleted } });
      await rpc.call("RoomService/DeleteRoom", { room_id: deleted });
      const ann = await crowd.join(old);
      expect((await ann.refused("change_room", { room_id: "no such id" })).code).toBe("invalid_argument");
      expect((await ann.refused("change_room", { room_id: deleted })).code).toBe("room_not_found");
      expect((await ann.request("send_message", { message: "still here" })).room_id).toBe(old);
    });

    it("answers a second join of the same room as it answered the first", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("twice");
      const ann = await crowd.join(room);
      await ann.say(room, "once");
      const again = await ann.request("join_room", { room_id: room, history: 10 });
      expect(again).toMatchObject({ room_id: room, count: 1 });
      expect(texts(again)).toEqual(["once"]);
      await ann.say(room, "twice");
      await ann.next("new_message", (message) => message.message === "twice");
      expect(ann.all("new_message").map((frame) => frame.payload.message)).toEqual(["once", "twice"]);
    });

    it("answers not_a_member to whatever needs membership", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("closed");
      const ann = await crowd.join(room);
      const { seq } = await ann.say(room, "inside");
      const stranger = await crowd.connect();
      for (const [type, payload] of [
        ["send_message", { room_id: room, message: "x" }],
        ["get_history", { room_id: room }],
        ["get_members", { room_id: room }],
        ["typing", { room_id: room }],
        ["leave_room", { room_id: room }],
        ["delete_message", { room_id: room, seq }],
      ] as const) {
        expect(await stranger.refused(type, payload), type).toMatchObject({ code: "not_a_member", request_type: type });
      }
      expect(stranger.all("new_message")).toEqual([]);
    });

    it("hears nothing of a room it left", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("left");
      const [ann, bob] = [await crowd.join(room), await crowd.join(room)];
      await bob.request("leave_room", { room_id: room });
      await ann.say(room, "after");
      await ann.next("new_message");
      await bob.request("join_room", { room_id: room });
      await ann.say(room, "back");
      await bob.next("new_message");
      expect(bob.all("new_message").map((frame) => frame.payload.message)).toEqual(["back"]);
    });

    it("pages through members in the order of their uids", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("paged");
      const everyone = await crowd.joinMany(5, room, (index) => ({
        query: { room_id: "", username: `user ${index}` },
      }));
      const [ann] = everyone;
      const uids: string[] = [];
      let pageToken = "";
      do {
        const page = await ann?.request("get_members", { room_id: room, page_size: 2, page_token: pageToken });
        expect(page).toMatchObject({ room_id: room, count: 5 });
        expect(page?.members.length).toBeLessThanOrEqual(2);
        uids.push(...(page?.members ?? []).map((member) => member.uid));
        pageToken = page?.next_page_token ?? "";
      } while (pageToken !== "");
      expect(uids).toEqual(everyone.map((client) => client.uid).sort());
      expect((await ann?.refused("get_members", { room_id: room, page_token: "forged" }))?.code).toBe(
        "invalid_argument",
      );
    });
  });
}
