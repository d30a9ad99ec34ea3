import { describe, expect, it } from "vitest";
import { Crowd, newRoom } from "../../support/crowd.ts";
import { eventually } from "../../support/eventually.ts";
import { type Ack, type Frame, isFrame } from "../../support/frame-types.ts";
import { OPCODE, RawSocket } from "../../support/raw-socket.ts";
import type { Topology } from "../../support/topology.ts";

/** Environment of a topology for these scenarios: limits small enough to reach. */
export const SMALL_LIMITS = {
  MAX_ROOMS_PER_CONNECTION: "3",
  MAX_MEMBERS_PER_ROOM: "2",
  HISTORY_MAX_MESSAGES: "20",
  MAX_CONNECTIONS_PER_IP: "8",
  JOIN_BURST: "8",
  JOINS_PER_SECOND: "1",
} as const;

/** The operator's limits and what a client hears when it meets them, on a topology with SMALL_LIMITS. */
export function limits(topology: Topology): void {
  describe("limits", () => {
    it("rooms per connection: one more is too_many_rooms, and leaving one makes place", async () => {
      await using crowd = new Crowd(topology);
      const ann = await crowd.connect();
      expect(ann.welcome.limits).toMatchObject({ max_rooms: 3, messages_per_second: 20, message_burst: 40 });
      const rooms = [newRoom("a"), newRoom("b"), newRoom("c")];
      for (const room of rooms) await ann.request("join_room", { room_id: room });
      expect((await ann.refused("join_room", { room_id: newRoom("d") })).code).toBe("too_many_rooms");
      await ann.request("leave_room", { room_id: rooms[0] });
      await ann.request("join_room", { room_id: newRoom("d") });
    });

    it("members per room: one more is room_full, and leaving makes place", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("full");
      const [ann, bob] = [await crowd.join(room), await crowd.join(room)];
      const carl = await crowd.connect();
      expect(await carl.refused("join_room", { room_id: room })).toMatchObject({ code: "room_full", retryable: true });
      await bob.close();
      await ann.next("member_left");
      await carl.request("join_room", { room_id: room });
      expect(ann.all("member_joined").map((frame) => frame.payload.uid)).toEqual([bob.uid, carl.uid]);
    });

    it("frames per second: a flood is slowed down and then rate_limited, and what was acknowledged is stored", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("rate");
      const bob = await crowd.join(room);
      const replies: Frame[] = [];
      const ann = await crowd.join(room, {
        onFrame: (frame) => {
          if (isFrame(frame, "ack") || isFrame(frame, "error")) replies.push(frame);
          return true;
        },
      });
      for (let index = 0; index < 100; index++)
        ann.send("send_message", { room_id: room, message: `${index}` }, `${index}`);
      await ann.reply("99", "send_message");
      const acks = replies.filter((frame) => isFrame(frame, "ack"));
      const errors = replies.filter((frame) => isFrame(frame, "error"));
      for (const error of errors) {
        expect(error.payload).toMatchObject({ code: "rate_limited", retryable: true, request_type: "send_message" });
        expect(error.payload.retry_after_ms).toBeGreaterThan(0);
      }
      expect(acks.length).toBeGreaterThanOrEqual(40);
      expect(acks.length + errors.length).toBe(100);
      const last = acks.at(-1)?.payload.seq;
      await bob.next("new_message", (message) => message.seq === last);
      expect(bob.all("new_message")).toHaveLength(acks.length);
    });

    it("messages per room: older ones are not shown, and a position before them is too_old", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("retention");
      const ann = await crowd.join(room);
      const acks: Ack[] = [];
      for (let index = 0; index < 30; index++) acks.push(await ann.say(room, `${index}`));
      const { events, has_more, epoch } = await ann.request("get_history", { room_id: room, limit: 300 });
      expect(events.map((event) => event.payload.seq)).toEqual(acks.slice(10).map((ack) => ack.seq));
      expect(has_more).toBe(false);
      const bob = await crowd.connect();
      const join = (index: number) =>
        bob.request("join_room", { room_id: room, since: { epoch, seq: acks[index]?.seq ?? 0 } });
      expect(await join(5)).toMatchObject({ recovered: false, reason: "too_old", events: [] });
      const exact = await join(9);
      expect(exact.recovered).toBe(true);
      expect(exact.events.map((event) => event.payload.seq)).toEqual(acks.slice(10).map((ack) => ack.seq));
    });

    it("joins per second: one more is rate_limited, with the time to wait", async () => {
      await using crowd = new Crowd(topology);
      const ann = await crowd.connect();
      const room = newRoom("churn");
      for (let index = 0; index < 8; index++) {
        await ann.request("join_room", { room_id: room });
        await ann.request("leave_room", { room_id: room });
      }
      const { code, retryable, retry_after_ms } = await ann.refused("join_room", { room_id: room });
      expect({ code, retryable }).toEqual({ code: "rate_limited", retryable: true });
      expect(retry_after_ms).toBeGreaterThan(0);
      expect(retry_after_ms).toBeLessThanOrEqual(1_000);
      expect((await ann.refused("change_room", { room_id: room })).code).toBe("rate_limited");
      await eventually("a join to be allowed again", async () => await ann.request("join_room", { room_id: room }));
    });

    it.each(["ping", "pong"] as const)("WebSocket %ss: a flood ends in 4004", async (kind) => {
      await using crowd = new Crowd(topology);
      const witness = await crowd.connect();
      await using raw = await RawSocket.upgrade(topology.edges[0] ?? "");
      for (let index = 0; index < 50; index++) raw.frame(OPCODE[kind], "x");
      raw.frame(OPCODE.text, '{"type":"ping","id":"p"}');
      await raw.hears('"id":"p"');
      for (let index = 0; index < 50; index++) raw.frame(OPCODE[kind], "x");
      expect(await raw.closeCode()).toBe(4004);
      await witness.request("ping");
    });

    it("connections per address: one more is answered 429, and closing one makes place", async () => {
      await using crowd = new Crowd(topology);
      const clients = [];
      for (let index = 0; index < 8; index++) clients.push(await crowd.connect({ edge: 0 }));
      await expect(crowd.open({ edge: 0 })).rejects.toMatchObject({ status: 429 });
      await clients[0]?.close();
      await crowd.connect({ edge: 0 });
    });
  });
}
