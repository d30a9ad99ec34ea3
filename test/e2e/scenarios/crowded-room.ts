import { describe, expect, it } from "vitest";
import { Crowd, newRoom } from "../../support/crowd.ts";
import { isFrame } from "../../support/frame-types.ts";
import type { Topology } from "../../support/topology.ts";

/** Above this many members a room sums up who comes and goes … */
const SUMMED_ABOVE = 100;
/** … and below this many it names everyone again. */
const NAMED_BELOW = 80;

/** Rooms too full to name everyone who comes and goes. */
export function crowdedRoom(topology: Topology): void {
  describe("a crowded room", { timeout: 60_000 }, () => {
    it("sums up comings and goings at most once a second, and names everyone again when it has emptied", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("crowded");
      const summedAt: number[] = [];
      const witness = await crowd.join(room, {
        onFrame: (frame) => {
          if (isFrame(frame, "members_changed")) summedAt.push(performance.now());
          return true;
        },
      });
      const quiet = { onFrame: () => true };
      const first = await crowd.joinMany(SUMMED_ABOVE - 1, room, () => quiet);
      await witness.next("member_joined", (joined) => joined.count === SUMMED_ABOVE);
      const second = await crowd.joinMany(20, room, () => quiet);
      const full = SUMMED_ABOVE + second.length;
      const { payload } = await witness.next("members_changed", (changed) => changed.count === full);
      expect(payload.joined.length).toBeLessThanOrEqual(10);
      expect(witness.all("member_joined")).toHaveLength(SUMMED_ABOVE - 1);

      const rejoined = await witness.request("join_room", { room_id: room });
      expect(rejoined.count).toBe(full);
      expect(rejoined.members).toHaveLength(100);

      const leaving = [...first, ...second].slice(0, full - NAMED_BELOW + 2);
      await Promise.all(leaving.map((client) => client.close()));
      await witness.next("members_changed", (changed) => changed.left.length > 0, { what: "with someone who left" });
      const last = first.at(-1);
      await last?.close();
      await witness.next("member_left", (left) => left.uid === last?.uid, { what: "of the last one, by name" });
      for (const [index, at] of summedAt.slice(1).entries()) expect(at - (summedAt[index] ?? 0)).toBeGreaterThan(900);
    });
  });
}
