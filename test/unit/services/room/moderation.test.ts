import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { BanRecordSchema } from "../../../../gen/baccarat/v1/control_pb.ts";
import { controlKeys } from "../../../../services/control-keys.ts";
import { FIXED } from "../../../../services/limits.ts";
import type { ControlPlane } from "../../../../services/room/control-plane.ts";
import { eventually } from "../../../support/eventually.ts";
import { AttachedEdge } from "./attached-edge.ts";
import { kick, members, moderator, OPS, openReplica, openTestBroker, room, roomOf, uid } from "./replica.ts";

const HOUR = 3_600_000;

/** Two replicas of one log, each with an edge, and a clock that stands still until it is set. */
async function twoReplicas() {
  const broker = await openTestBroker();
  const clock = { ms: Date.now() };
  const now = () => clock.ms;
  const planes = [await openReplica(broker, { now }), await openReplica(broker, { now })] as const;
  const edges = [await AttachedEdge.open(planes[0], "run-1"), await AttachedEdge.open(planes[1], "run-2")] as const;
  return { broker, clock, planes, edges };
}

/** Once a replica knows of it: what one acknowledged reaches the other a moment later. */
async function knowsBan(plane: ControlPlane, id: string, name: string): Promise<void> {
  await eventually(`the ban of ${name} at a replica`, () => plane.fold.standings.bans(room(id)).has(name));
}

describe("a ban", () => {
  it("takes a user out at every edge, and tells the others", async () => {
    const { planes, edges } = await twoReplicas();
    for (const [index, edge] of edges.entries()) {
      edge.connect(`ann-${index}`, "ann");
      edge.connect(`bob-${index}`, "bob");
      await edge.join(`ann-${index}`, "lobby");
      await edge.join(`bob-${index}`, "lobby");
    }
    expect(await moderator(planes[0], "lobby").ban("ann", undefined, "spam")).toMatchObject({
      roomId: "lobby",
      uid: "ann",
      reason: "spam",
      by: "service:ops",
    });
    for (const [index, edge] of edges.entries()) {
      const out = { clientId: `ann-${index}`, roomId: "lobby", reason: "banned", by: "service:ops" };
      expect(await edge.hears("evicted")).toMatchObject(out);
      expect(await edge.hears("memberExited")).toMatchObject({ member: { uid: "ann" }, count: 1, reason: "banned" });
      expect(edge.all("evicted")).toHaveLength(1);
    }
    for (const plane of planes) expect(members(plane, "lobby")).toEqual(["bob"]);
  });

  it("keeps a user out, by whatever edge and device, until it is lifted", async () => {
    const { planes, edges } = await twoReplicas();
    const { ban, unban } = moderator(planes[0], "lobby");
    await ban("ann");
    await knowsBan(planes[1], "lobby", "ann");
    for (const [index, edge] of edges.entries()) {
      edge.connect(`ann-${index}`, "ann", { roles: ["moderator"] });
      expect(await edge.join(`ann-${index}`, "lobby")).toBe("banned");
      expect(await edge.join(`ann-${index}`, "other")).toBe("joined");
    }
    await unban("ann");
    expect(await edges[0].join("ann-0", "lobby")).toBe("joined");
  });

  it("and a join at the same time are settled by the log: never both", async () => {
    const { planes, edges } = await twoReplicas();
    for (let round = 0; round < 30; round++) {
      const name = `user-${round}`;
      edges[1].connect(name, name);
      const joining = edges[1].join(name, "lobby");
      await moderator(planes[0], "lobby").ban(name);
      const outcome = await joining;
      if (outcome === "joined") await edges[1].hears("evicted", ({ clientId }) => clientId === name);
      else expect(outcome).toBe("banned");
    }
    for (const plane of planes) {
      await eventually("nobody to be left", () => (plane.fold.room(room("lobby"))?.members.size ?? 0) === 0);
    }
  });

  it("ends by itself, without anybody writing", async () => {
    const { planes, edges, clock } = await twoReplicas();
    const { ban, banned, unban } = moderator(planes[0], "lobby");
    edges[0].connect("c1", "ann");
    await ban("ann", HOUR);
    expect(banned()).toEqual(["ann"]);
    clock.ms += HOUR - 1_000;
    const refused = await edges[0].ask({ case: "join", value: { clientId: "c1", roomId: "lobby" } });
    expect(refused).toMatchObject({ case: "failure", value: { retryAfterMs: 1_000 } });
    clock.ms += 1_000;
    expect(banned()).toEqual([]);
    await expect(unban("ann")).rejects.toMatchObject({ reason: "not_found" });
    expect(await edges[0].join("c1", "lobby")).toBe("joined");
    await eventually("the other replica to see it", () => members(planes[1], "lobby").length === 1);
  });

  it("is replaced by the next one", async () => {
    const { planes, clock } = await twoReplicas();
    const { ban, banned } = moderator(planes[0], "lobby");
    await ban("ann", HOUR, "first");
    const second = await ban("ann", undefined, "second");
    expect(second).toMatchObject({ reason: "second" });
    expect(second.expireTime).toBeUndefined();
    clock.ms += 2 * HOUR;
    expect(banned()).toEqual(["ann"]);
  });

  it("acts on an edge that was cut off as soon as it attaches again, even when it was lifted since", async () => {
    for (const lifted of [false, true]) {
      const { planes, edges, broker } = await twoReplicas();
      edges[0].connect("c1", "ann");
      await edges[0].join("c1", "lobby");
      await edges[0].cut();
      const { ban, unban } = moderator(planes[1], "lobby");
      await ban("ann");
      if (lifted) await unban("ann");
      // One that has never heard of the ban itself.
      const fresh = await openReplica(broker);
      const back = new AttachedEdge(fresh, "run-1");
      back.connect("c1", "ann");
      back.say({ case: "hold", value: { clientId: "c1", roomId: "lobby" } });
      await back.sync();
      const decisions = back.kinds().filter((kind) => kind === "evicted" || kind === "attached");
      expect(decisions).toEqual(["evicted", "attached"]);
      expect(back.all("evicted")).toMatchObject([{ reason: "banned", by: "service:ops" }]);
      expect(members(fresh, "lobby")).toEqual([]);
    }
  });

  it("is not got around by an edge that holds a member of whom nothing is stored", async () => {
    const { planes } = await twoReplicas();
    await moderator(planes[0], "lobby").ban("ann");
    const edge = new AttachedEdge(planes[0], "run-3");
    edge.connect("c1", "ann");
    edge.say({ case: "hold", value: { clientId: "c1", roomId: "lobby" } });
    await edge.sync();
    expect(edge.all("evicted")).toMatchObject([{ reason: "banned", by: "service:ops" }]);
  });

  it("is refused for what cannot be: no end in the past or beyond ten years, no direct conversations, no long words", async () => {
    const { planes } = await twoReplicas();
    const { moderation } = planes[0].moderating;
    const subject = { uid: uid("ann"), reason: "" };
    const until = (ms: number) => ({ case: "expireTime" as const, value: timestampFromMs(ms) });
    const invalid = { reason: "invalid_argument" };
    const access = { room: room("lobby") };
    const now = Date.now();
    for (const at of [now - 1_000, now + FIXED.sanctionMs + 60_000]) {
      const wrong = moderation.ban(OPS, access, { ...subject, expiration: until(at) });
      await expect(wrong).rejects.toMatchObject({ ...invalid, metadata: { field: "expire_time" } });
    }
    const { ban } = moderator(planes[0], "lobby");
    for (const ms of [0, -1, FIXED.sanctionMs + 1]) {
      await expect(ban("ann", ms)).rejects.toMatchObject({ ...invalid, metadata: { field: "duration" } });
    }
    await expect(ban("ann", FIXED.sanctionMs, "x".repeat(257))).rejects.toMatchObject(invalid);
    await expect(moderator(planes[0], "direct:ann:bob").ban("ann")).rejects.toMatchObject(invalid);
    await ban("ann", FIXED.sanctionMs, "x".repeat(256));
  });

  it("is one of 10,000 of a room at most", async () => {
    const { planes, broker } = await twoReplicas();
    const record = (name: string) => create(BanRecordSchema, { ban: { roomId: "lobby", uid: name } });
    const names = Array.from({ length: FIXED.sanctionsPerRoom }, (_, index) => `user-${index}`);
    const writes = names.map((name) =>
      broker.control.put(controlKeys.ban(room("lobby"), uid(name)), toBinary(BanRecordSchema, record(name))),
    );
    await Promise.all(writes);
    const { standings } = planes[0].fold;
    await eventually("the bans to be known", () => standings.bans(room("lobby")).size === names.length);
    const { ban, unban } = moderator(planes[0], "lobby");
    await expect(ban("one-more")).rejects.toMatchObject({ reason: "invalid_argument" });
    await ban("user-0", HOUR);
    await unban("user-1");
    await ban("one-more");
  });
});

describe("a mute", () => {
  it("is told to edges that host the room, and to who joins later", async () => {
    const { planes, edges, clock } = await twoReplicas();
    const { mute, unmute } = moderator(planes[0], "lobby");
    edges[0].connect("c1", "ann");
    edges[0].connect("c2", "ann");
    expect(await edges[0].joined("c1", "lobby")).toMatchObject({ muted: false });
    await mute("ann", HOUR, "caps");
    expect(await edges[0].hears("memberPolicy")).toMatchObject({
      roomId: "lobby",
      uid: "ann",
      muted: true,
      mutedUntil: timestampFromMs(clock.ms + HOUR),
      by: "service:ops",
      reason: "caps",
    });
    expect(edges[1].all("memberPolicy")).toEqual([]);
    expect(await edges[0].joined("c2", "lobby")).toMatchObject({
      muted: true,
      mutedUntil: timestampFromMs(clock.ms + HOUR),
    });
    await unmute("ann", "better");
    const lifted = await edges[0].hears("memberPolicy", ({ muted }) => !muted);
    expect(lifted).toMatchObject({ uid: "ann", by: "service:ops", reason: "better" });
    expect(lifted.mutedUntil).toBeUndefined();
    await expect(unmute("ann")).rejects.toMatchObject({ reason: "not_found" });
    expect(members(planes[1], "lobby")).toEqual(["ann"]);
  });

  it("is known to an edge that attaches again", async () => {
    const { planes, edges } = await twoReplicas();
    for (const name of ["ann", "bob"]) {
      edges[0].connect(name, name);
      await edges[0].join(name, "lobby");
    }
    await edges[0].cut();
    const { mute } = moderator(planes[1], "lobby");
    for (const name of ["ann", "stranger"]) await mute(name);
    const back = new AttachedEdge(planes[1], "run-1");
    for (const name of ["ann", "bob"]) {
      back.connect(name, name);
      back.say({ case: "hold", value: { clientId: name, roomId: "lobby" } });
    }
    await back.sync();
    const { muted } = await back.hears("roomSnapshot");
    expect(muted.map((one) => [one.uid, one.muted, one.mutedUntil])).toEqual([["ann", true, undefined]]);
  });

  it("that ended can be neither lifted nor felt", async () => {
    const { planes, edges, clock } = await twoReplicas();
    const { mute, unmute } = moderator(planes[0], "lobby");
    await mute("ann", HOUR);
    clock.ms += HOUR;
    await expect(unmute("ann")).rejects.toMatchObject({ reason: "not_found" });
    edges[0].connect("c1", "ann");
    expect(await edges[0].join("c1", "lobby")).toBe("joined");
  });
});

describe("an invitation", () => {
  it("lets a user into a private room, until it is taken back", async () => {
    const { planes, edges } = await twoReplicas();
    await planes[0].rooms.create(room("vip"), roomOf({ roomId: "vip", private: true }));
    const { invite, uninvite } = moderator(planes[0], "vip");
    edges[0].connect("c1", "ann");
    edges[0].connect("c2", "ann", { rooms: ["other"] });
    expect(await edges[0].join("c1", "vip")).toBe("permission_denied");
    for (let twice = 0; twice < 2; twice++) {
      expect(await invite("ann")).toMatchObject({ roomId: "vip", uid: "ann", by: "service:ops" });
    }
    for (const clientId of ["c1", "c2"]) expect(await edges[0].join(clientId, "vip")).toBe("joined");
    await uninvite("ann");
    await expect(uninvite("ann")).rejects.toMatchObject({ reason: "not_found" });
    expect(members(planes[0], "vip")).toEqual(["ann"]);
    await edges[0].leave("c1", "vip");
    expect(await edges[0].join("c1", "vip")).toBe("permission_denied");
  });
});

describe("rights that are lost", () => {
  it("do not take out who was in a room before it was made private, but they cannot come back", async () => {
    const { planes, edges } = await twoReplicas();
    edges[0].connect("c1", "ann");
    await edges[0].join("c1", "lobby");
    await planes[0].rooms.update(room("lobby"), roomOf({ private: true }), undefined);
    expect(await edges[0].join("c1", "lobby")).toBe("joined");
    await edges[0].cut();
    const back = new AttachedEdge(planes[0], "run-1");
    back.connect("c1", "ann");
    back.say({ case: "hold", value: { clientId: "c1", roomId: "lobby" } });
    await back.sync();
    expect(members(planes[0], "lobby")).toEqual(["ann"]);
    await back.leave("c1", "lobby");
    expect(await back.join("c1", "lobby")).toBe("permission_denied");
  });

  it("take a member out when a newer token leaves the room out", async () => {
    const { planes, edges } = await twoReplicas();
    edges[0].connect("c1", "ann", { rooms: ["lobby", "other"] });
    for (const id of ["lobby", "other"]) expect(await edges[0].join("c1", id)).toBe("joined");
    edges[0].connect("c1", "ann", { rooms: ["other"] });
    expect(await edges[0].hears("evicted")).toMatchObject({ roomId: "lobby", reason: "permission_denied" });
    expect(members(planes[0], "lobby")).toEqual([]);
    expect(members(planes[0], "other")).toEqual(["ann"]);
  });

  it("take a member out when the edge attaches again with less", async () => {
    const { planes, edges } = await twoReplicas();
    edges[0].connect("c1", "ann", { rooms: ["lobby"] });
    await edges[0].join("c1", "lobby");
    await edges[0].cut();
    const back = new AttachedEdge(planes[1], "run-1");
    back.connect("c1", "ann", { rooms: [] });
    back.say({ case: "hold", value: { clientId: "c1", roomId: "lobby" } });
    await back.sync();
    expect(await back.hears("evicted")).toMatchObject({ roomId: "lobby", reason: "permission_denied" });
  });
});

describe("a kick", () => {
  it("is recorded before it is done, and not at all when there is nobody to kick", async () => {
    const { planes, edges } = await twoReplicas();
    const [plane] = planes;
    await expect(kick(plane, "lobby", "ann", "")).rejects.toMatchObject({ reason: "not_found" });
    edges[0].connect("c1", "ann");
    await edges[0].join("c1", "lobby");
    await kick(plane, "lobby", "ann", "be kind");
    const all = { pageSize: 0, pageToken: "", room: undefined, uid: undefined, actor: undefined };
    expect(plane.moderating.audit.list(all).events).toMatchObject([{ uid: "ann", reason: "be kind" }]);
  });
});

describe("deleting a room", () => {
  it("forgets bans, mutes and invitations, at once or when it is done again", async () => {
    const { planes, broker } = await twoReplicas();
    const { ban, mute, invite } = moderator(planes[0], "lobby");
    await Promise.all([ban("ann"), mute("bob"), invite("cyd")]);
    await planes[0].rooms.delete(room("lobby"));
    await planes[0].moderating.administration.delete(OPS, room("lobby"));
    const keys = [
      controlKeys.ban(room("lobby"), uid("ann")),
      controlKeys.mute(room("lobby"), uid("bob")),
      controlKeys.invite(room("lobby"), uid("cyd")),
    ];
    for (const key of keys) expect((await broker.control.get(key))?.value).toBeUndefined();
  });
});
