import { describe, expect, it } from "vitest";
import { FrameError, type TestClient } from "../../support/client.ts";
import { Crowd, newRoom } from "../../support/crowd.ts";
import { eventually } from "../../support/eventually.ts";
import { RpcClient } from "../../support/rpc.ts";
import type { Topology } from "../../support/topology.ts";

interface RoomJson {
  readonly room_id: string;
  readonly title?: string;
  readonly capacity?: number;
  readonly private?: boolean;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly member_count?: number;
  readonly create_time?: string;
  readonly update_time?: string;
}

interface RoomsPage {
  readonly rooms?: readonly RoomJson[];
  readonly next_page_token?: string;
}

/** How long a decision may take to act at every edge, in milliseconds. */
const ACTS_WITHIN_MS = 1_000;

/** Rooms and their members, administered over Connect's JSON. */
export function rpcRooms(topology: Topology): void {
  const rpc = () => new RpcClient(topology.rpcs[0] ?? "");

  describe("rooms over RPC", { concurrent: true }, () => {
    it("are created, read, changed by mask, listed and deleted", async () => {
      const room_id = newRoom("crud");
      const created = await rpc().call<{ room: RoomJson }>("RoomService/CreateRoom", {
        room: { roomId: room_id, title: "Table 1", capacity: 5, metadata: { game: "baccarat" } },
      });
      expect(created.room).toMatchObject({ room_id, title: "Table 1", capacity: 5, metadata: { game: "baccarat" } });
      expect(created.room.create_time).toMatch(/Z$/);
      expect(await rpc().fails("RoomService/CreateRoom", { room: { room_id } })).toMatchObject({
        status: 409,
        code: "already_exists",
      });
      const got = await rpc().get<{ room: RoomJson }>("RoomService/GetRoom", { room_id });
      expect(got.room).toEqual(created.room);

      const updated = await rpc().call<{ room: RoomJson }>("RoomService/UpdateRoom", {
        room: { room_id, title: "Table 2", capacity: 9 },
        update_mask: "title",
      });
      expect(updated.room).toMatchObject({ title: "Table 2", capacity: 5 });
      const unmasked = await rpc().call<{ room: RoomJson }>("RoomService/UpdateRoom", {
        room: { room_id, capacity: 7 },
      });
      expect(unmasked.room).toMatchObject({ title: "Table 2", capacity: 7 });
      expect(await rpc().fails("RoomService/UpdateRoom", { room: { room_id }, update_mask: "roomId" })).toMatchObject({
        code: "invalid_argument",
      });

      await rpc().call("RoomService/DeleteRoom", { room_id });
      expect(await rpc().fails("RoomService/GetRoom", { room_id })).toMatchObject({
        status: 404,
        code: "not_found",
        reason: "ERROR_REASON_ROOM_NOT_FOUND",
      });
      const reborn = await rpc().call<{ room: RoomJson }>("RoomService/CreateRoom", { room: { room_id } });
      expect(reborn.room.title ?? "").toBe("");
    });

    it("are listed page by page in the order of their ids, within a prefix", async () => {
      const prefix = newRoom("list");
      const ids = ["a", "b", "c", "d", "e"].map((letter) => `${prefix}-${letter}`);
      for (const room_id of ids.toReversed()) await rpc().call("RoomService/CreateRoom", { room: { room_id } });
      const listed: string[] = [];
      let page_token = "";
      do {
        const page = await rpc().call<RoomsPage>("RoomService/ListRooms", { prefix, page_size: 2, page_token });
        listed.push(...(page.rooms ?? []).map((room) => room.room_id));
        page_token = page.next_page_token ?? "";
      } while (page_token !== "");
      expect(listed).toEqual(ids);
      for (const bad of [{ page_token: "forged" }, { page_size: -1 }]) {
        expect(await rpc().fails("RoomService/ListRooms", bad)).toMatchObject({
          status: 400,
          code: "invalid_argument",
        });
      }
    });

    it("are refused when their settings are impossible", async () => {
      for (const room of [
        {},
        { room_id: "no id" },
        { room_id: "direct:a:b" },
        { room_id: newRoom("bad"), title: "t".repeat(129) },
        { room_id: newRoom("bad"), capacity: -1 },
        { room_id: newRoom("bad"), slow_mode_ms: 3_600_001 },
        { room_id: newRoom("bad"), metadata: { k: "v".repeat(1_025) } },
      ]) {
        const failure = await rpc().fails("RoomService/CreateRoom", { room });
        expect(failure, JSON.stringify(room)).toMatchObject({ status: 400, code: "invalid_argument" });
      }
    });

    it("show their members, and hold no more than their capacity", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("members");
      await rpc().call("RoomService/CreateRoom", { room: { room_id, capacity: 3 } });
      const clients = await crowd.joinMany(3, room_id, (index) => ({
        query: { room_id: "", username: `user ${index}` },
      }));
      const late = await crowd.connect();
      expect((await late.refused("join_room", { room_id })).code).toBe("room_full");
      const listed: string[] = [];
      let page_token = "";
      do {
        const page = await rpc().call<{ members?: { uid: string }[]; next_page_token?: string; count: number }>(
          "RoomService/ListMembers",
          { room_id, page_size: 2, page_token },
        );
        expect(page.count).toBe(3);
        listed.push(...(page.members ?? []).map((member) => member.uid));
        page_token = page.next_page_token ?? "";
      } while (page_token !== "");
      expect(listed).toEqual(clients.map((client) => client.uid).sort());
      const { room } = await rpc().get<{ room: RoomJson }>("RoomService/GetRoom", { room_id });
      expect(room.member_count).toBe(3);
    });

    it("private ones keep guests out", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("private");
      await rpc().call("RoomService/CreateRoom", { room: { room_id, private: true } });
      const guest = await crowd.connect();
      expect((await guest.refused("join_room", { room_id })).code).toBe("permission_denied");
    });

    it("frozen ones take messages of services only, until they thaw", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("frozen");
      const ann = await crowd.join(room_id);
      const freeze = (frozen: boolean) =>
        rpc().call("RoomService/UpdateRoom", { room: { room_id, frozen }, update_mask: "frozen" });
      await freeze(true);
      await eventually("the member to be refused", () => isRefused(ann, room_id), { withinMs: ACTS_WITHIN_MS });
      await rpc().call("RoomService/SendMessage", { room_id, message: "from the house" });
      await ann.next("new_message", (message) => message.message === "from the house");
      await freeze(false);
      await eventually("the member to be heard", async () => !(await isRefused(ann, room_id)), {
        withinMs: ACTS_WITHIN_MS,
      });
    });

    it("slow ones take one message of a member at a time", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("slow-mode");
      await rpc().call("RoomService/CreateRoom", { room: { room_id, slow_mode_ms: 3_600_000 } });
      const [ann, bob] = [await crowd.join(room_id), await crowd.join(room_id)];
      await ann.say(room_id, "first");
      const error = await ann.refused("send_message", { room_id, message: "second" });
      expect(error).toMatchObject({ code: "rate_limited", retryable: true });
      expect(error.retry_after_ms).toBeGreaterThan(3_000_000);
      await bob.say(room_id, "another's");
      await ann.next("new_message", (message) => message.uid === bob.uid);
      expect(ann.all("new_message").map((frame) => frame.payload.message)).toEqual(["first", "another's"]);
    });

    it("kick a member everywhere at once, who may come back", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("kick");
      const [ann, bob] = [await crowd.join(room_id), await crowd.join(room_id)];
      await rpc().call("RoomService/KickMember", { room_id, uid: bob.uid });
      const { payload } = await bob.next("room_left", undefined, { withinMs: 1_000 });
      expect(payload).toMatchObject({ room_id, reason: "kicked" });
      const left = await ann.next("member_left", undefined, { withinMs: 1_000 });
      expect(left.payload).toMatchObject({ uid: bob.uid, count: 1, reason: "kicked" });
      expect((await bob.refused("send_message", { room_id, message: "x" })).code).toBe("not_a_member");
      await ann.say(room_id, "gone");
      await ann.next("new_message");
      expect(bob.all("new_message")).toEqual([]);
      expect(await rpc().fails("RoomService/KickMember", { room_id, uid: bob.uid })).toMatchObject({ status: 404 });
      await bob.request("join_room", { room_id });
      await ann.next("member_joined", (joined) => joined.uid === bob.uid && joined.count === 2);
      await ann.next("member_joined");
    });

    it("take everyone out when they are deleted", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("delete");
      const clients = await crowd.joinMany(3, room_id, () => ({}));
      await rpc().call("RoomService/DeleteRoom", { room_id });
      for (const client of clients) {
        const { payload } = await client.next("room_left", undefined, { withinMs: 1_000 });
        expect(payload).toMatchObject({ room_id, reason: "room_deleted" });
        expect((await client.refused("join_room", { room_id })).code).toBe("room_not_found");
      }
      expect(await rpc().fails("RoomService/SendMessage", { room_id, message: "x" })).toMatchObject({ status: 404 });
    });
  });
}

/** True when a member's message is refused because the room is frozen. */
async function isRefused(client: TestClient, room: string): Promise<boolean> {
  try {
    await client.say(room, "may I?");
    return false;
  } catch (error) {
    if (error instanceof FrameError && error.payload.code === "permission_denied") return true;
    throw error;
  }
}
