import { describe, expect, it } from "vitest";
import { Crowd, newRoom } from "../../support/crowd.ts";
import { eventually } from "../../support/eventually.ts";
import type { Topology } from "../../support/topology.ts";

/** Promised deadlines, in milliseconds. */
const CLEAN_LEAVE_MS = 1_000;
const GRACE_MS = 10_000;
const HALF_OPEN_MS = 30_000;
const HEARTBEAT_MS = 8_000;
/** What a busy machine may add to a deadline that is counted from an earlier moment than the test can see. */
const SLACK_MS = 5_000;

/** Who is in a room, told once each, at every edge. */
export function presence(topology: Topology): void {
  describe("presence", { concurrent: true, timeout: 60_000 }, () => {
    it("tells who joined and who left, with the count, but not to the one who joined", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("presence");
      const ann = await crowd.connect({ query: { room_id: "", username: "Ann" } });
      expect(await ann.request("join_room", { room_id: room })).toMatchObject({
        count: 1,
        members: [{ uid: ann.uid, username: "Ann" }],
      });
      const bob = await crowd.connect({ query: { room_id: "", username: "Bob", avatar_id: "dog" } });
      const joined = await bob.request("join_room", { room_id: room });
      expect(joined.count).toBe(2);
      expect(joined.members.map((member) => member.uid).sort()).toEqual([ann.uid, bob.uid].sort());
      expect((await ann.next("member_joined")).payload).toEqual({
        room_id: room,
        uid: bob.uid,
        username: "Bob",
        avatar_id: "dog",
        count: 2,
      });
      await bob.request("leave_room", { room_id: room });
      expect((await ann.next("member_left", undefined, { withinMs: CLEAN_LEAVE_MS })).payload).toEqual({
        room_id: room,
        uid: bob.uid,
        username: "Bob",
        avatar_id: "dog",
        count: 1,
        reason: "left",
      });
      expect([...bob.all("member_joined"), ...bob.all("member_left"), ...ann.all("member_joined").slice(1)]).toEqual(
        [],
      );
    });

    it("shows a clean close within a second", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("clean");
      const ann = await crowd.join(room);
      for (const code of [1000, undefined]) {
        const bob = await crowd.join(room);
        await ann.next("member_joined");
        await bob.close(code);
        const { payload } = await ann.next("member_left", undefined, { withinMs: CLEAN_LEAVE_MS });
        expect(payload).toMatchObject({ uid: bob.uid, count: 1, reason: "left" });
      }
    });

    it("gives a broken connection its grace, and no more; who came back in time never left", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("grace");
      const ann = await crowd.join(room);
      const [returning, gone] = [await crowd.join(room), await crowd.join(room)];
      const brokenAt = performance.now();
      returning.terminate();
      const back = await crowd.resume(returning.welcome.session);
      expect(back.uid).toBe(returning.uid);
      expect((await back.request("join_room", { room_id: room })).count).toBe(3);
      gone.terminate();
      const { payload } = await ann.next("member_left", undefined, { withinMs: GRACE_MS + SLACK_MS });
      expect(payload).toMatchObject({ uid: gone.uid, count: 2, reason: "disconnected" });
      // Counted from the last byte, which came a moment before the connection broke.
      expect(performance.now() - brokenAt).toBeGreaterThan(GRACE_MS - 1_000);
      // The returned one broke before the one who is gone: its leave would have been told by now.
      await ann.request("ping");
      expect(ann.all("member_left")).toHaveLength(1);
      expect(ann.all("member_joined")).toHaveLength(2);
    });

    it("takes two rooms of one connection for two memberships that end together", async () => {
      await using crowd = new Crowd(topology);
      const rooms = [newRoom("one"), newRoom("two")];
      const ann = await crowd.connect();
      const bob = await crowd.connect();
      for (const room of rooms) {
        await ann.request("join_room", { room_id: room });
        await bob.request("join_room", { room_id: room });
      }
      await bob.close();
      for (const room of rooms) {
        await ann.next("member_left", (left) => left.room_id === room, { what: room, withinMs: CLEAN_LEAVE_MS });
      }
    });

    it("gives a guest its uid and profile back, and closes the connection it replaces", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("resume");
      const witness = await crowd.join(room);
      const [ann, bob] = [
        await crowd.join(room, { query: { room_id: "", username: "Ann", avatar_id: "cat" } }),
        await crowd.join(room),
      ];
      const again = await crowd.open();
      const welcome = await again.request("login", { session: ann.welcome.session });
      expect(welcome).toMatchObject({ uid: ann.uid, username: "Ann", avatar_id: "cat" });
      expect(welcome.client_id).not.toBe(ann.welcome.client_id);
      expect((await again.request("join_room", { room_id: room })).count).toBe(3);
      expect((await ann.closing()).code).toBe(4504);
      await crowd.resume(bob.welcome.session);
      expect((await bob.closing()).code).toBe(4504);
      // Bob does not come back into the room; Ann, who was replaced before, never left it.
      await witness.next("member_left", (left) => left.uid === bob.uid, { withinMs: 2 * CLEAN_LEAVE_MS });
      expect(witness.all("member_left")).toHaveLength(1);
      expect(witness.all("member_joined")).toHaveLength(2);
    });

    it("refuses a session that nobody was given", async () => {
      await using crowd = new Crowd(topology);
      const ann = await crowd.connect();
      for (const session of ["x", "x".repeat(64), `${ann.welcome.session}x`, "a.b.c", 5, {}]) {
        const client = await crowd.open();
        const error = await client.refused("login", { session });
        expect(["unauthenticated", "invalid_argument"], JSON.stringify(session)).toContain(error.code);
      }
    });

    it("pings every heartbeat_ms, and gives up on who does not answer", async () => {
      await using crowd = new Crowd(topology);
      const room = newRoom("heartbeat");
      const ann = await crowd.join(room);
      const mute = await crowd.join(room, { autoPong: false });
      const muteSince = performance.now();
      await eventually("two pings", () => ann.pings >= 2, { withinMs: 2 * HEARTBEAT_MS + SLACK_MS });
      const { payload } = await ann.next("member_left", undefined, { withinMs: HALF_OPEN_MS });
      expect(payload).toMatchObject({ uid: mute.uid, reason: "disconnected" });
      expect(performance.now() - muteSince).toBeLessThan(HALF_OPEN_MS);
      expect((await mute.closing()).code).toBe(4002);
      expect(ann.isOpen).toBe(true);
    });
  });
}
