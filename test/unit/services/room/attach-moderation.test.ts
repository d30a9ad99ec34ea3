import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import type { ModerateSchema } from "../../../../gen/baccarat/v1/edge_service_pb.ts";
import { eventually } from "../../../support/eventually.ts";
import { AttachedEdge, outcome } from "./attached-edge.ts";
import { actionName, members, openReplica, openTestBroker, room } from "./replica.ts";

type Act = NonNullable<MessageInitShape<typeof ModerateSchema>["act"]>;

const ANN = { roomId: "lobby", uid: "ann", reason: "because" };
const EVERY_ACT: readonly Act[] = [
  { case: "muteMember", value: { ...ANN, expiration: { case: "duration", value: durationFromMs(60_000) } } },
  { case: "unmuteMember", value: ANN },
  {
    case: "updateRoom",
    value: { room: { roomId: "lobby", slowModeMs: 1_000 }, updateMask: { paths: ["slow_mode_ms"] } },
  },
  { case: "kickMember", value: ANN },
  { case: "banMember", value: ANN },
  { case: "unbanMember", value: ANN },
];

/** A room with a moderator, a member and somebody who moderates elsewhere; `ann` is in it. */
async function lobby() {
  const plane = await openReplica(await openTestBroker());
  const edge = await AttachedEdge.open(plane, "run-1");
  edge.connect("moderator", "mod", { roles: ["moderator:lobby"] });
  edge.connect("member", "bob");
  edge.connect("elsewhere", "cyd", { roles: ["moderator:table.*"] });
  edge.connect("outside", "dan", { roles: ["admin"] });
  edge.connect("ann", "ann");
  for (const clientId of ["moderator", "member", "elsewhere", "ann"]) await edge.join(clientId, "lobby");
  const ask = async (clientId: string, act: Act) =>
    outcome(await edge.ask({ case: "moderate", value: { clientId, act } }));
  return { plane, edge, ask };
}

describe("moderating by a connection", () => {
  it("is for moderators who are in the room", async () => {
    const { plane, ask } = await lobby();
    for (const act of EVERY_ACT) {
      for (const clientId of ["member", "elsewhere", "ann"]) expect(await ask(clientId, act)).toBe("permission_denied");
      expect(await ask("outside", act)).toBe("not_a_member");
    }
    expect(members(plane, "lobby")).toEqual(["ann", "bob", "cyd", "mod"]);
    expect(plane.fold.audit.size).toBe(0);
  });

  it("does what services do, in the moderator's name", async () => {
    const { plane, edge, ask } = await lobby();
    for (const act of EVERY_ACT) expect(await ask("moderator", act), act.case).toBe("done");
    expect(edge.all("memberPolicy")).toMatchObject([
      { uid: "ann", muted: true, by: "mod", reason: "because" },
      { uid: "ann", muted: false, by: "mod", reason: "because" },
    ]);
    expect(edge.all("roomPolicy")).toMatchObject([{ slowModeMs: 1_000 }]);
    expect(edge.all("roomChanged")).toMatchObject([{ room: { roomId: "lobby", slowModeMs: 1_000 } }]);
    expect(edge.all("evicted")).toMatchObject([{ clientId: "ann", reason: "because", by: "mod" }]);
    const acts = [...plane.fold.audit.oldest()].map(({ event }) => [actionName(event.action), event.actor]);
    expect(acts).toEqual(["MUTE", "UNMUTE", "UPDATE_ROOM", "KICK", "BAN", "UNBAN"].map((action) => [action, "mod"]));
  });

  it("changes no settings but those of moderators", async () => {
    const { plane, ask } = await lobby();
    const update = (settings: object, paths: string[] | undefined): Act => ({
      case: "updateRoom",
      value: { room: { roomId: "lobby", ...settings }, ...(paths && { updateMask: { paths } }) },
    });
    for (const act of [
      update({ title: "mine" }, ["title"]),
      update({ frozen: true, private: true }, ["frozen", "private"]),
      update({ frozen: true }, undefined),
    ]) {
      expect(await ask("moderator", act)).toBe("permission_denied");
    }
    expect(await ask("moderator", update({ frozen: true, slowModeMs: 5 }, ["frozen", "slow_mode_ms"]))).toBe("done");
    expect(plane.rooms.get(room("lobby"))).toMatchObject({ frozen: true, slowModeMs: 5, title: "", private: false });
  });

  it("says what is wrong", async () => {
    const { edge, ask } = await lobby();
    const subject = { roomId: "lobby", uid: "nobody" };
    expect(await ask("moderator", { case: "kickMember", value: subject })).toBe("not_found");
    expect(await ask("moderator", { case: "unbanMember", value: subject })).toBe("not_found");
    expect(await ask("moderator", { case: "unmuteMember", value: subject })).toBe("not_found");
    for (const wrong of [{ uid: "a b" }, { roomId: "a b" }, { reason: "x".repeat(257) }]) {
      expect(await ask("moderator", { case: "muteMember", value: { ...subject, ...wrong } })).toBe("invalid_argument");
    }
    expect(await ask("moderator", { case: "updateRoom", value: {} })).toBe("invalid_argument");
    const nothing = await edge.ask({ case: "moderate", value: { clientId: "moderator" } });
    expect(outcome(nothing)).toBe("invalid_argument");
    const direct = { roomId: "direct:ann:mod", uid: "ann" };
    expect(await ask("moderator", { case: "muteMember", value: direct })).toBe("permission_denied");
  });

  it("is over for a moderator who is banned", async () => {
    const { edge, ask } = await lobby();
    edge.connect("admin", "root", { roles: ["admin"] });
    await edge.join("admin", "lobby");
    expect(await ask("admin", { case: "banMember", value: { roomId: "lobby", uid: "mod" } })).toBe("done");
    await eventually("the moderator to be put out", () => edge.all("evicted").length > 0);
    expect(await ask("moderator", { case: "kickMember", value: ANN })).toBe("banned");
  });
});
