import { describe, expect, it } from "vitest";
import type { TestClient } from "../../support/client.ts";
import { Crowd, newRoom, texts } from "../../support/crowd.ts";
import type { EventFrame } from "../../support/frame-types.ts";
import { RpcClient } from "../../support/rpc.ts";
import type { Topology } from "../../support/topology.ts";

const PAGE_BYTES = 256 * 1024;

/** Reading a room's log in both directions. */
export function history(topology: Topology): void {
  describe("history", { concurrent: true }, () => {
    it("pages backward and forward through what was said, in the order it was said", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("pages");
      const ann = await crowd.join(room);
      const acks = await sayNumbers(ann, room, 25);
      const seq = (index: number): number => acks[index]?.seq ?? 0;
      const read = (range: object) => ann.request("get_history", { room_id: room, ...range });

      const latest = await read({ limit: 10 });
      expect(texts(latest)).toEqual(numbers(15, 25));
      expect(latest).toMatchObject({ room_id: room, has_more: true, epoch: expect.stringMatching(/./) });
      const older = await read({ limit: 10, before_seq: seq(15) });
      expect(texts(older)).toEqual(numbers(5, 15));
      expect(older.has_more).toBe(true);
      const oldest = await read({ limit: 10, before_seq: seq(5) });
      expect(texts(oldest)).toEqual(numbers(0, 5));
      expect(oldest.has_more).toBe(false);

      const forward = await read({ limit: 10, after_seq: seq(0) });
      expect(texts(forward)).toEqual(numbers(1, 11));
      expect(forward.has_more).toBe(true);
      const last = await read({ limit: 300, after_seq: seq(10) });
      expect(texts(last)).toEqual(numbers(11, 25));
      expect(last.has_more).toBe(false);
      expect(await read({ limit: 10, after_seq: seq(24) })).toMatchObject({ events: [], has_more: false });
    });

    it("holds exactly the frames that were pushed", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("frames");
      const ann = await crowd.join(room, { query: { room_id: "", username: "Ann", avatar_id: "cat" } });
      const { seq } = await ann.say(room, "plain");
      await ann.say(room, "all fields", {
        image_url: "https://example.com/a.png",
        from: "Annie \u{1f600} <b>",
        client_msg_id: "c-1",
      });
      await new RpcClient(topology.rpcs[0] ?? "").call("RoomService/PublishEvent", {
        room_id: room,
        type: "table.result",
        data: { winner: "banker", cards: [1, 2.5, null, "x"] },
      });
      await ann.request("delete_message", { room_id: room, seq });
      await ann.next("message_deleted");
      const pushed: EventFrame[] = ann.frames
        .filter((frame) => ["new_message", "table.result", "message_deleted"].includes(frame.type))
        .map((frame) => ({ type: frame.type, payload: frame.payload as EventFrame["payload"] }));
      expect(pushed.map((event) => event.type)).toEqual([
        "new_message",
        "new_message",
        "table.result",
        "message_deleted",
      ]);
      const { events } = await ann.request("get_history", { room_id: room });
      expect(events.map(withoutPrevious)).toEqual(pushed.slice(1).map(withoutPrevious));
      const rejoined = await ann.request("join_room", { room_id: room, history: 300 });
      expect(rejoined.events).toEqual(events);
    });

    it("shows 50 events unless told otherwise, at most 300 and at most 256 KiB", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("bounds");
      const ann = await crowd.join(room);
      await sayNumbers(ann, room, 60);
      expect(texts(await ann.request("get_history", { room_id: room }))).toEqual(numbers(10, 60));
      const long = "x".repeat(4_000);
      await Promise.all(Array.from({ length: 100 }, (_, index) => ann.say(room, `${index}`.padEnd(4_000, long))));
      const page = await ann.request("get_history", { room_id: room, limit: 100 });
      const bytes = page.events.reduce((sum, event) => sum + (event.payload.message ?? "").length, 0);
      expect(bytes).toBeLessThanOrEqual(PAGE_BYTES);
      expect(page.events.length).toBeGreaterThan(50);
      expect(page.has_more).toBe(true);
      expect(page.events.at(-1)?.payload.message).toMatch(/^99x/);
    });

    it.each([
      { limit: 301 },
      { limit: -1 },
      { limit: 1.5 },
      { limit: "many" },
      { before_seq: 5, after_seq: 5 },
      { before_seq: -1 },
      { after_seq: "x" },
      { after_seq: 2 ** 64 },
    ])("refuses %j", async (range) => {
      await using crowd = new Crowd(topology);
      const room = newRoom("refused");
      const ann = await crowd.join(room);
      expect(await ann.refused("get_history", { room_id: room, ...range })).toMatchObject({
        code: "invalid_argument",
        request_type: "get_history",
      });
    });
  });
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `${from + index}`);
}

function sayNumbers(client: TestClient, room: string, count: number) {
  return Promise.all(numbers(0, count).map((text) => client.say(room, text)));
}

/** prev_seq is told as far as known, and a deletion changes what is known. */
function withoutPrevious(event: EventFrame): object {
  const { prev_seq: _, ...payload } = event.payload;
  return { type: event.type, payload };
}
