import { describe, expect, it } from "vitest";
import type { TestClient } from "../../support/client.ts";
import { Crowd, newRoom } from "../../support/crowd.ts";
import { eventually } from "../../support/eventually.ts";
import type { RoomJoined, StoredPayload } from "../../support/frame-types.ts";
import { RpcClient } from "../../support/rpc.ts";
import type { Topology } from "../../support/topology.ts";

const UPDATES = 60;
const JOINERS = 20;

interface Snapshot {
  readonly events?: readonly { readonly custom_event: { readonly snapshot_key: string; readonly data_json: string } }[];
  readonly position: { readonly epoch: string; readonly seq: string };
}

/** The latest event of each key, for those who come late. */
export function snapshots(topology: Topology): void {
  const rpc = (index = 0) => new RpcClient(topology.rpcs[index % topology.rpcs.length] ?? "");
  const set = (room_id: string, snapshot_key: string, data: unknown, at = 0) =>
    rpc(at).call("RoomService/PublishEvent", { room_id, type: "table.state", data, snapshot_key });

  describe("snapshots", { concurrent: true }, () => {
    it("give a late joiner the latest of each key as it was pushed, at every edge", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("snapshot");
      const early = await crowd.join(room_id);
      await set(room_id, "shoe", { cards: 416 });
      await set(room_id, "hand", { player: [8] }, 1);
      await set(room_id, "shoe", { cards: 415 }, 1);
      await early.next(
        "table.state",
        (payload) => payload.snapshot_key === "shoe" && same(payload.data, { cards: 415 }),
      );
      const pushed = early.all("table.state").slice(1);
      for (const edge of topology.edges.keys()) {
        const late = await crowd.connect({ edge });
        const { snapshot, events } = await late.request("join_room", { room_id });
        expect(events).toEqual([]);
        expect(shown(snapshot)).toEqual(pushed.map(({ payload }) => [payload.snapshot_key, payload.seq, payload.data]));
      }
      for (const index of topology.rpcs.keys()) {
        const { events = [], position } = await rpc(index).get<Snapshot>("RoomService/GetSnapshot", { room_id });
        expect(events.map(({ custom_event }) => custom_event.snapshot_key)).toEqual(["hand", "shoe"]);
        expect(Number(position.seq)).toBeGreaterThanOrEqual(pushed.at(-1)?.payload.seq ?? 0);
      }
    });

    it("lose a cleared key, and refuse the seventeenth", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("snapshot-full");
      for (let index = 0; index < 16; index++) await set(room_id, `key-${index}`, index);
      expect(
        await rpc().fails("RoomService/PublishEvent", {
          room_id,
          type: "table.state",
          data: 17,
          snapshot_key: "key-16",
        }),
      ).toMatchObject({ code: "resource_exhausted", reason: "ERROR_REASON_SNAPSHOT_FULL" });
      await set(room_id, "key-3", null);
      const { snapshot = [] } = await (await crowd.connect()).request("join_room", { room_id });
      expect(snapshot).toHaveLength(15);
      expect(snapshot.map(({ payload }) => payload.snapshot_key)).not.toContain("key-3");
      await rpc().call("RoomService/DeleteRoom", { room_id });
      await rpc().call("RoomService/CreateRoom", { room: { room_id } });
      const reborn = await (await crowd.connect()).request("join_room", { room_id });
      expect(reborn.snapshot).toBeUndefined();
    });

    it("and live events together show everyone the same, whenever they join and whoever publishes", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("snapshot-race");
      const keys = ["a", "b", "c"];
      const early = await crowd.join(room_id);
      const publishing = Promise.all(
        keys.map(async (key, at) => {
          for (let value = 1; value <= UPDATES; value++) await set(room_id, key, value % 7 === 0 ? null : value, at);
          await set(room_id, key, "last", at + 1);
        }),
      );
      const joiners = await Promise.all(
        Array.from({ length: JOINERS }, async (_, index) => {
          await eventually(
            "the joiner's turn",
            () => early.all("table.state").length >= (index * UPDATES * 2) / JOINERS,
          );
          const client = await crowd.connect({ edge: index % topology.edges.length });
          return { client, joined: await client.request("join_room", { room_id }) };
        }),
      );
      const total = keys.length * (UPDATES + 1);
      await publishing;
      await eventually("all events", () => early.all("table.state").length === total);
      const truth = early.all("table.state").map(({ payload }) => payload);
      const end = truth.at(-1)?.seq ?? 0;
      for (const { client, joined } of joiners) {
        const position = () => client.all("table.state").at(-1)?.payload.seq ?? joined.seq;
        await eventually("the last event", () => position() >= end);
        expectSame(client, joined, truth);
      }
    });
  });
}

/** Holds a joiner to what somebody saw who was there all along: at its position, and at every event after it. */
function expectSame(client: TestClient, joined: RoomJoined, truth: readonly StoredPayload[]): void {
  const before = new Map<string | undefined, [number, unknown]>();
  for (const { seq, snapshot_key, data } of truth) {
    if (seq > joined.seq) continue;
    before.delete(snapshot_key);
    if (data !== null) before.set(snapshot_key, [seq, data]);
  }
  expect(shown(joined.snapshot)).toEqual([...before].map(([key, [seq, data]]) => [key, seq, data]));
  const later = client.all("table.state").map(({ payload }) => payload.seq);
  expect(later).toEqual(truth.map(({ seq }) => seq).filter((seq) => seq > joined.seq));
}

function shown(snapshot: RoomJoined["snapshot"]): unknown[] {
  return (snapshot ?? []).map(({ payload }) => [payload.snapshot_key, payload.seq, payload.data]);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
