import { describe, expect, it } from "vitest";
import { Crowd, newRoom } from "../../support/crowd.ts";
import { eventually } from "../../support/eventually.ts";
import { RpcClient } from "../../support/rpc.ts";
import type { Topology } from "../../support/topology.ts";

const INTERVAL_MS = 500;
const CHANGES = 40;

/** What a room's members are given when they cannot take everything. */
export function overload(topology: Topology): void {
  const rpc = () => new RpcClient(topology.rpcs[0] ?? "");

  describe("a room that gives the latest only", { concurrent: true }, () => {
    it("conflates what has a key, and loses no message, in no history and in no recovery", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("latest");
      await rpc().call("RoomService/CreateRoom", {
        room: { room_id, overload_policy: "OVERLOAD_POLICY_LATEST_ONLY", conflation_interval_ms: INTERVAL_MS },
      });
      const [ann, bob] = [await crowd.join(room_id, { edge: 0 }), await crowd.connect()];
      const { epoch, seq } = await bob.request("join_room", { room_id });
      const begun = performance.now();
      const said: number[] = [];
      for (let data = 1; data <= CHANGES; data++) {
        await rpc().call("RoomService/PublishEvent", { room_id, type: "table.odds", data, snapshot_key: "odds" });
        if (data % 4 === 0) said.push((await ann.say(room_id, `${data}`)).seq);
      }
      const odds = () => bob.all("table.odds").map(({ payload }) => payload);
      await eventually("the latest odds", () => odds().at(-1)?.data === CHANGES);
      const intervals = Math.ceil((performance.now() - begun) / INTERVAL_MS);
      expect(odds().length).toBeLessThanOrEqual(intervals + 1);
      expect(odds().map(({ data }) => data)).toEqual(
        odds()
          .map(({ data }) => Number(data))
          .sort((a, b) => a - b),
      );
      await eventually("the messages", () => bob.all("new_message").length >= said.length);
      expect(bob.all("new_message").map(({ payload }) => payload.seq)).toEqual(said);
      expectNoHole(
        seq,
        bob.frames.flatMap(({ type, payload }) => (type === "table.odds" || type === "new_message" ? [payload] : [])),
      );

      const late = await crowd.connect();
      const recovered = await late.request("join_room", { room_id, since: { epoch, seq } });
      expect(recovered.recovered).toBe(true);
      expect(recovered.events).toHaveLength(CHANGES + said.length);
      expect(recovered.snapshot?.map(({ payload }) => payload.data)).toEqual([CHANGES]);
    });
  });
}

/** Holds frames to the rule by which clients find holes. */
function expectNoHole(joinedAt: number, payloads: readonly object[]): void {
  let last = joinedAt;
  for (const payload of payloads) {
    const { seq, prev_seq } = payload as { seq: number; prev_seq: number };
    expect(prev_seq).toBeLessThanOrEqual(last);
    last = Math.max(last, seq);
  }
}
