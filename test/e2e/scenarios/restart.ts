import { describe, expect, it } from "vitest";
import type { TestClient } from "../../support/client.ts";
import { Crowd, newRoom } from "../../support/crowd.ts";
import { eventually } from "../../support/eventually.ts";
import { type Frame, isFrame } from "../../support/frame-types.ts";
import { RpcClient } from "../../support/rpc.ts";
import type { Topology } from "../../support/topology.ts";

const KILLED_AFTER_ACKS = 500;
const PAGE = 300;
const STOP_MS = 2_000;

/** Death and return of an edge's process, on a topology of its own since connections of others would break too. */
export function restart(topology: Topology): void {
  describe("restart", { timeout: 60_000 }, () => {
    it("after kill -9 in the middle of publishing loses no acknowledged message and recovers exactly", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("kill");
      const acked = new Map<string, number>();
      const ann = await crowd.join(room, {
        edge: 0,
        onFrame: (frame: Frame) => {
          if (isFrame(frame, "ack") && frame.id?.startsWith("m") === true) acked.set(frame.id, frame.payload.seq);
          return !isFrame(frame, "new_message");
        },
      });
      const bob = await crowd.connect({ edge: 0 });
      const { epoch, seq: start } = await bob.request("join_room", { room_id: room });
      const first = await ann.say(room, "before");
      for (let index = 0; index < 5_000; index++) {
        ann.send("send_message", { room_id: room, message: `${index}` }, `m${index}`);
      }
      await eventually("some acks", () => acked.size >= KILLED_AFTER_ACKS);
      await topology.killEdge(0);
      expect((await ann.closing()).code).toBe(1006);
      await topology.startEdge(0);

      const stored = await readAll(topology, room);
      for (const [id, seq] of acked) expect(stored.get(seq), id).toBe(id.slice(1));
      // Nothing of one connection overtakes: what was stored is a beginning of what was sent, once each.
      expect([...stored.values()]).toEqual(["before", ...Array.from({ length: stored.size - 1 }, (_, i) => `${i}`)]);

      const seqs = [...stored.keys()];
      const back = await crowd.connect({ edge: 0 });
      const recovered = await back.request("join_room", {
        room_id: room,
        since: { epoch, seq: seqs.at(-PAGE - 1) ?? 0 },
      });
      expect(recovered).toMatchObject({ recovered: true, epoch });
      expect(recovered.events.map((event) => event.payload.seq)).toEqual(seqs.slice(-PAGE));
      const stranger = await crowd.connect({ edge: 0 });
      const tooMany = await stranger.request("join_room", { room_id: room, since: { epoch, seq: start } });
      expect(tooMany).toMatchObject({ recovered: false, reason: "too_many" });
      const after = await back.say(room, "after");
      expect(after.seq).toBeGreaterThan(seqs.at(-1) ?? first.seq);
      const late = await crowd.connect({ edge: 0 });
      const across = await late.request("join_room", { room_id: room, since: { epoch, seq: seqs.at(-3) ?? 0 } });
      expect(across.recovered).toBe(true);
      expect(across.events.map((event) => event.payload.seq)).toEqual([...seqs.slice(-2), after.seq]);
    });

    it("keeps a guest's identity, a room's settings and snapshot, and a retry's key across kill -9", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("kept");
      await new RpcClient(topology.rpcs[0] ?? "").call("RoomService/CreateRoom", {
        room: { room_id: room, title: "T" },
      });
      const ann = await crowd.join(room, { edge: 0, query: { room_id: "", username: "Ann" } });
      const first = await ann.say(room, "hello", { client_msg_id: "key" });
      const state = { room_id: room, type: "table.state", snapshot_key: "shoe" };
      for (const data of [1, 2]) {
        await new RpcClient(topology.rpcs[0] ?? "").call("RoomService/PublishEvent", { ...state, data });
      }
      await topology.killEdge(0);
      await topology.startEdge(0);
      const back = await crowd.resume(ann.welcome.session, { edge: 0 });
      expect(back.welcome).toMatchObject({ uid: ann.uid, username: "Ann" });
      const { snapshot } = await back.request("join_room", { room_id: room });
      expect(snapshot).toMatchObject([{ type: "table.state", payload: { snapshot_key: "shoe", data: 2 } }]);
      expect(await back.say(room, "hello", { client_msg_id: "key" })).toMatchObject({
        seq: first.seq,
        duplicate: true,
      });
      const rpc = new RpcClient(topology.rpcs[0] ?? "");
      expect(await rpc.get("RoomService/GetRoom", { room_id: room })).toMatchObject({ room: { title: "T" } });
      const { count } = await back.request("get_members", { room_id: room });
      expect(count).toBe(1);
    });

    it("keeps direct messages for those who are away, and what they had read", async () => {
      await using crowd = new Crowd(topology);
      const [ann, bob] = [await crowd.connect({ edge: 0 }), await crowd.connect({ edge: 0 })];
      const tell = async (from: TestClient, message: string) =>
        (await from.request("send_message", { to_uid: bob.uid, message })).seq;
      const seqs = (client: TestClient) => client.all("new_message").map(({ payload }) => payload.seq);
      const room_id = newRoom("here");
      for (const client of [ann, bob]) await client.request("join_room", { room_id });
      const first = await tell(ann, "read");
      await bob.next("new_message");
      await bob.close();
      // The server hears of the goodbye's end a moment after the client: a kill before that is no proper close.
      await ann.next("member_left");
      const missed = await tell(ann, "missed");
      await topology.killEdge(0);
      await topology.startEdge(0);
      const back = await crowd.resume(bob.welcome.session, { edge: 0 });
      expect(back.welcome.direct).toMatchObject([{ uid: ann.uid, seq: missed }]);
      await back.next("new_message");
      expect(seqs(back)).toEqual([missed]);
      expect(first).toBeLessThan(missed);
      // A stop closes properly: what was read is known, so that nothing comes again.
      await topology.stopEdge(0);
      await back.closing();
      await topology.startEdge(0);
      const writer = await crowd.resume(ann.welcome.session, { edge: 0 });
      const later = await tell(writer, "later");
      const again = await crowd.resume(bob.welcome.session, { edge: 0 });
      await again.next("new_message");
      expect(seqs(again)).toEqual([later]);
    });

    it("by SIGTERM finishes the acks in flight, closes with 1012 and takes less than 2 s", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("term");
      const acked: number[] = [];
      const ann = await crowd.join(room, {
        edge: 0,
        onFrame: (frame) => {
          if (isFrame(frame, "ack")) acked.push(frame.payload.seq);
          return true;
        },
      });
      const idle = await crowd.connect({ edge: 0 });
      for (let index = 0; index < 100; index++) ann.send("send_message", { room_id: room, message: "x" }, `m${index}`);
      await eventually("the first ack", () => acked.length > 0);
      const stoppedAt = performance.now();
      await topology.stopEdge(0);
      expect(performance.now() - stoppedAt).toBeLessThan(STOP_MS);
      for (const client of [ann, idle]) expect((await client.closing()).code).toBe(1012);
      await topology.startEdge(0);
      const stored = await readAll(topology, room);
      expect([...stored.keys()]).toEqual(acked);
    });
  });
}

/** Reads a whole room over RPC: seq → text, oldest first. */
async function readAll(topology: Topology, room_id: string): Promise<Map<number, string>> {
  const rpc = new RpcClient(topology.rpcs[0] ?? "");
  const pages: [number, string][][] = [];
  let page_token = "";
  do {
    const page = await rpc.call<{ messages?: { seq: string; message: string }[]; next_page_token?: string }>(
      "RoomService/ListMessages",
      { room_id, page_size: PAGE, page_token },
    );
    pages.unshift((page.messages ?? []).map((message) => [Number(message.seq), message.message]));
    page_token = page.next_page_token ?? "";
  } while (page_token !== "");
  return new Map(pages.flat());
}
