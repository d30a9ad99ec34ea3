import { timestampMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { DEFAULT_LIMITS, FIXED } from "../../../../services/limits.ts";
import { openControlPlane } from "../../../../services/room/control-plane.ts";
import { eventually } from "../../../support/eventually.ts";
import { AttachedEdge } from "./attached-edge.ts";
import { openReplica, openTestBroker, quietLog, uid } from "./replica.ts";

const ACTOR = "service:ops";

/** What an edge was told was taken back, one list for each telling. */
function told(edge: AttachedEdge): string[][] {
  return edge.heard.flatMap((update) => {
    if (update.case !== "revoked") return [];
    const names = update.value.revocations.map(({ uid: user, tokenId }) => user || `#${tokenId}`);
    return [[...(update.value.begins ? ["all:"] : []), ...names]];
  });
}

describe("revocations", () => {
  it("are told to every edge at once, and to those that attach later before anything else", async () => {
    const broker = await openTestBroker();
    const [one, two] = [await openReplica(broker), await openReplica(broker)];
    const [near, far] = [await AttachedEdge.open(one, "near"), await AttachedEdge.open(two, "far")];
    const before = Date.now();
    const time = await one.revocations.revoke(ACTOR, { uid: uid("ann") }, "left the company");
    await one.revocations.revoke(ACTOR, { tokenId: "t 1/ü".slice(0, 4) }, "");
    expect(timestampMs(time)).toBeGreaterThanOrEqual(before);
    for (const edge of [near, far]) {
      await eventually("both revocations", () => told(edge).length === 3);
      expect(told(edge)).toEqual([["all:"], ["ann"], ["#t 1/"]]);
    }
    const late = await AttachedEdge.open(two, "late");
    expect(told(late)).toEqual([["all:", "ann", "#t 1/"]]);
    expect(late.heard[0]?.case).toBe("revoked");
    const { events } = one.moderating.audit.list({
      pageSize: 0,
      pageToken: "",
      room: undefined,
      uid: uid("ann"),
      actor: undefined,
    });
    expect(events).toMatchObject([{ actor: ACTOR, reason: "left the company" }]);
  });

  it("are forgotten after seven days, one by one", async () => {
    const broker = await openTestBroker();
    let now = Date.now();
    const options = { broker, limits: DEFAULT_LIMITS, roomCreation: "open", log: quietLog() } as const;
    await using plane = await openControlPlane({ ...options, now: () => now }).then((opened) => ({
      ...opened,
      [Symbol.asyncDispose]: () => opened.close(),
    }));
    const { revocations, moderating, fold } = plane;
    await revocations.revoke(ACTOR, { uid: uid("old") }, "");
    await revocations.revoke(ACTOR, { uid: uid("again") }, "");
    now += FIXED.revocationMs;
    await revocations.revoke(ACTOR, { uid: uid("again") }, "");
    await moderating.housekeeper.sweep();
    expect(fold.revoked.size).toBe(2);
    now += 1;
    await moderating.housekeeper.sweep();
    expect(fold.revoked.all().map(({ revocation }) => revocation.uid)).toEqual(["again"]);
  });

  it("refuse a reason over 256 characters", async () => {
    const plane = await openReplica(await openTestBroker());
    const revoked = plane.revocations.revoke(ACTOR, { uid: uid("ann") }, "x".repeat(257));
    await expect(revoked).rejects.toMatchObject({ reason: "invalid_argument" });
    await plane.revocations.revoke(ACTOR, { uid: uid("ann") }, "x".repeat(256));
  });
});
