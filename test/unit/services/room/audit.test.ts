import { describe, expect, it } from "vitest";
import { AuditAction } from "../../../../gen/baccarat/v1/moderation_pb.ts";
import { FIXED } from "../../../../services/limits.ts";
import type { ControlPlane } from "../../../../services/room/control-plane.ts";
import { eventually } from "../../../support/eventually.ts";
import { AttachedEdge } from "./attached-edge.ts";
import { actionName, moderator, OPS, openReplica, openTestBroker, room, roomOf, store, uid } from "./replica.ts";

const ALL = { pageSize: 0, pageToken: "", room: undefined, uid: undefined, actor: undefined };
const DAY = 24 * 3_600_000;

function list(plane: ControlPlane, filter: Partial<Parameters<typeof plane.moderating.audit.list>[0]> = {}) {
  return plane.moderating.audit.list({ ...ALL, ...filter }).events;
}

/** What was done, to whom, newest first. */
function acts(plane: ControlPlane, filter: Partial<Parameters<typeof plane.moderating.audit.list>[0]> = {}): string[] {
  return list(plane, filter).map(({ action, uid: whom }) => `${actionName(action)} ${whom}`.trim());
}

function record(plane: ControlPlane, reason: string, actor = "service:ops"): Promise<void> {
  return plane.moderating.audit.record({ action: AuditAction.NOTICE, actor, reason });
}

describe("the audit log", () => {
  it("has every act with who, whom, where, why and what else, newest first, at every replica", async () => {
    const broker = await openTestBroker();
    const planes = [await openReplica(broker), await openReplica(broker)] as const;
    const { administration } = planes[0].moderating;
    const { ban, unban, mute, unmute, invite, uninvite } = moderator(planes[0], "lobby");
    await administration.create(OPS, room("lobby"), roomOf({ roomId: "lobby", title: "Lobby", metadata: { a: "1" } }));
    const settings = roomOf({ roomId: "lobby", frozen: true, metadata: { b: "2" } });
    await administration.update(OPS, { room: room("lobby") }, settings, undefined);
    await ban("ann", DAY, "spam");
    await unban("ann", "sorry");
    await mute("bob", undefined, "caps");
    await unmute("bob");
    await invite("cyd");
    await uninvite("cyd");
    const [seq = 0] = await store(broker, "lobby", ["oops"], "dan");
    await planes[0].messages.delete(OPS, { room: room("lobby") }, BigInt(seq));
    await administration.delete(OPS, room("lobby"));
    const done = [
      "DELETE_ROOM",
      "DELETE_MESSAGE dan",
      "UNINVITE cyd",
      "INVITE cyd",
      "UNMUTE bob",
      "MUTE bob",
      "UNBAN ann",
      "BAN ann",
      "UPDATE_ROOM",
      "CREATE_ROOM",
    ];
    for (const plane of planes) await eventually("all acts", () => acts(plane).length === done.length);
    for (const plane of planes) expect(acts(plane)).toEqual(done);
    expect(list(planes[1])).toEqual(list(planes[0]));
    const events = list(planes[1]).toReversed();
    for (const event of events) {
      expect(event).toMatchObject({ actor: "service:ops", roomId: "lobby" });
      expect(event.createTime).toBeDefined();
    }
    expect(events.map(({ reason }) => reason)).toEqual(["", "", "spam", "sorry", "caps", "", "", "", "", ""]);
    expect(events.map(({ facts }) => facts)).toEqual([
      { title: "Lobby", metadata: "a" },
      { frozen: "true", metadata: "a,b" },
      { expire_time: expect.stringMatching(/Z$/) },
      {},
      {},
      {},
      {},
      {},
      { seq: String(seq) },
      {},
    ]);
    expect(acts(await openReplica(broker))).toEqual(done);
  });

  it("is filtered by room, user and actor, and paged without losing or repeating what is there", async () => {
    const plane = await openReplica(await openTestBroker());
    for (const name of ["ann", "bob", "ann", "bob", "ann"]) await moderator(plane, "lobby").ban(name);
    await moderator(plane, "other").ban("ann");
    await record(plane, "hello", "mod-1");
    expect(acts(plane, { uid: uid("ann") })).toHaveLength(4);
    expect(acts(plane, { room: room("lobby"), uid: uid("ann") })).toHaveLength(3);
    expect(acts(plane, { actor: "mod-1" })).toEqual(["NOTICE"]);
    const seen: unknown[] = [];
    let pageToken = "";
    do {
      const page = plane.moderating.audit.list({ ...ALL, pageSize: 3, pageToken });
      seen.push(...page.events);
      pageToken = page.nextPageToken;
      if (seen.length === 3) await record(plane, "later");
    } while (pageToken !== "");
    expect(seen).toEqual(list(plane).slice(1));
    for (const forged of ["x", Buffer.from('["audit","","","","NaN"]').toString("base64url")]) {
      expect(() => plane.moderating.audit.list({ ...ALL, pageToken: forged })).toThrow(
        expect.objectContaining({ reason: "invalid_argument" }),
      );
    }
    const [token] = [plane.moderating.audit.list({ ...ALL, pageSize: 1 }).nextPageToken];
    expect(() => plane.moderating.audit.list({ ...ALL, uid: uid("ann"), pageToken: token })).toThrow(
      expect.objectContaining({ reason: "invalid_argument" }),
    );
  });

  it("keeps the beginning of what is long", async () => {
    const plane = await openReplica(await openTestBroker());
    await record(plane, "🎉".repeat(FIXED.reasonChars + 1));
    expect(list(plane)[0]?.reason).toBe("🎉".repeat(FIXED.reasonChars));
  });

  it("does not list what users do to their own messages, but what moderators do to others'", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    edge.connect("c2", "mod", { roles: ["moderator:lobby"] });
    for (const clientId of ["c1", "c2"]) await edge.join(clientId, "lobby");
    const [own = 0, other = 0] = await store(broker, "lobby", ["one", "two"], "ann");
    const remove = (clientId: string, seq: number) =>
      edge.ask({ case: "delete", value: { clientId, roomId: "lobby", seq: BigInt(seq) } });
    await remove("c1", own);
    expect(list(plane)).toEqual([]);
    await remove("c2", other);
    expect(list(plane)).toMatchObject([{ actor: "mod", uid: "ann", roomId: "lobby", facts: { seq: String(other) } }]);
    await remove("c2", other);
    expect(list(plane)).toHaveLength(1);
  });
});

describe("the housekeeper", () => {
  it("deletes bans and mutes an hour after they ended, and mutes that were lifted", async () => {
    const broker = await openTestBroker();
    const clock = { ms: Date.now() };
    const plane = await openReplica(broker, { now: () => clock.ms });
    const { ban, mute, unmute } = moderator(plane, "lobby");
    await ban("ann", 1_000);
    await ban("bob");
    await mute("ann", 1_000);
    await mute("bob");
    await mute("cyd");
    await unmute("cyd");
    const { standings } = plane.fold;
    const left = () => [
      ...[...standings.bans(room("lobby")).from("")].map(([name]) => `ban ${name}`),
      ...[...standings.mutes(room("lobby")).keys()].map((name) => `mute ${name}`),
    ];
    await plane.moderating.housekeeper.sweep();
    expect(left()).toEqual(["ban ann", "ban bob", "mute ann", "mute bob"]);
    expect([...standings.expired(Number.MAX_SAFE_INTEGER)].map(({ uid: who }) => who)).toEqual(["ann", "ann"]);
    clock.ms += 3_602_000;
    await plane.moderating.housekeeper.sweep();
    expect(left()).toEqual(["ban bob", "mute bob"]);
    expect([...(await openReplica(broker)).fold.standings.bans(room("lobby")).from("")].map(([name]) => name)).toEqual([
      "bob",
    ]);
  });

  it("keeps 10,000 acts of 90 days", async () => {
    const broker = await openTestBroker();
    const clock = { ms: Date.now() };
    const plane = await openReplica(broker, { now: () => clock.ms });
    const { audit, housekeeper } = plane.moderating;
    await Promise.all(Array.from({ length: FIXED.auditEvents + 5 }, (_, index) => record(plane, `act ${index}`)));
    await housekeeper.sweep();
    expect(plane.fold.audit.size).toBe(FIXED.auditEvents);
    expect(audit.list({ ...ALL, pageSize: 1 }).events).toMatchObject([{ reason: `act ${FIXED.auditEvents + 4}` }]);
    clock.ms += 45 * DAY;
    await record(plane, "later");
    clock.ms += 45 * DAY + 1;
    await housekeeper.sweep();
    expect(list(plane)).toMatchObject([{ reason: "later" }]);
  });
});
