import { describe, expect, it } from "vitest";
import { eventually } from "../../../support/eventually.ts";
import { AttachedEdge } from "./attached-edge.ts";
import { kick, members, openReplica, openTestBroker, room } from "./replica.ts";

describe("presence", () => {
  it("tells edges of a room who enters and leaves it, and nobody else", async () => {
    const plane = await openReplica(await openTestBroker());
    const first = await AttachedEdge.open(plane, "run-1");
    const second = await AttachedEdge.open(plane, "run-2");
    const elsewhere = await AttachedEdge.open(plane, "run-3");
    first.connect("c1", "ann");
    second.connect("c2", "bob");
    elsewhere.connect("c3", "cyd");
    expect(await elsewhere.join("c3", "other")).toBe("joined");
    expect(await first.join("c1", "lobby")).toBe("joined");
    expect(await second.join("c2", "lobby")).toBe("joined");
    expect(await first.hears("memberEntered", ({ member }) => member?.uid === "bob")).toMatchObject({
      roomId: "lobby",
      member: { username: "name of bob" },
      count: 2,
    });
    await second.leave("c2", "lobby");
    expect(await first.hears("memberExited")).toMatchObject({ member: { uid: "bob" }, count: 1, reason: "left" });
    expect(elsewhere.all("memberEntered").map(({ roomId }) => roomId)).toEqual(["other"]);
    expect(elsewhere.all("memberExited")).toEqual([]);
  });

  it("answers a join after the transition it made, with the members of that moment", async () => {
    const plane = await openReplica(await openTestBroker());
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "bob");
    edge.connect("c2", "ann");
    await edge.join("c1", "lobby");
    const joined = await edge.joined("c2", "lobby");
    expect(joined.members.map((member) => member.uid)).toEqual(["ann", "bob"]);
    expect(joined.count).toBe(2);
    const entered = edge.heard.findIndex(
      (update) => update.case === "memberEntered" && update.value.member?.uid === "ann",
    );
    const answered = edge.heard.findIndex((update) => update.case === "reply" && update.value.result.value === joined);
    expect(entered).toBeGreaterThan(-1);
    expect(answered).toBeGreaterThan(entered);
  });

  it("counts a user once, however many connections it has at however many edges", async () => {
    const plane = await openReplica(await openTestBroker());
    const [first, second] = [await AttachedEdge.open(plane, "run-1"), await AttachedEdge.open(plane, "run-2")];
    first.connect("c1", "ann");
    first.connect("c2", "ann");
    second.connect("c3", "ann");
    await first.join("c1", "lobby");
    await first.join("c2", "lobby");
    expect(await second.joined("c3", "lobby")).toMatchObject({ count: 1 });
    await first.leave("c1", "lobby");
    await first.leave("c2", "lobby");
    expect(members(plane, "lobby")).toEqual(["ann"]);
    expect([...first.all("memberEntered"), ...second.all("memberEntered")]).toHaveLength(1);
    expect([...first.all("memberExited"), ...second.all("memberExited")]).toEqual([]);
    await second.leave("c3", "lobby");
    expect(members(plane, "lobby")).toEqual([]);
  });

  it("keeps the time at which a user entered when the first of its connections goes", async () => {
    const plane = await openReplica(await openTestBroker());
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    edge.connect("c2", "ann");
    const [member] = (await edge.joined("c1", "lobby")).members;
    await edge.join("c2", "lobby");
    await edge.leave("c1", "lobby");
    expect(plane.membership.page(room("lobby"), { pageSize: 0, pageToken: "" }).members).toMatchObject([
      { joinTime: member?.joinTime },
    ]);
  });

  it("tells every replica's edges why somebody left", async () => {
    const broker = await openTestBroker();
    const [one, two] = [await openReplica(broker), await openReplica(broker)];
    const near = await AttachedEdge.open(one, "run-1");
    const far = await AttachedEdge.open(two, "run-2");
    near.connect("c1", "ann");
    near.connect("c2", "bob");
    near.connect("c3", "cyd");
    far.connect("c9", "zoe");
    for (const clientId of ["c1", "c2", "c3"]) await near.join(clientId, "lobby");
    await far.join("c9", "lobby");
    await near.leave("c1", "lobby");
    await near.ask({ case: "disconnect", value: { clientId: "c2", reason: "disconnected" } });
    await kick(two, "lobby", "cyd", "spam");
    await eventually("three exits", () => far.all("memberExited").length === 3, { state: () => far.heard });
    expect(far.all("memberExited").map(({ member, reason }) => [member?.uid, reason])).toEqual([
      ["ann", "left"],
      ["bob", "disconnected"],
      ["cyd", "kicked"],
    ]);
    expect(await near.hears("evicted")).toMatchObject({
      clientId: "c3",
      roomId: "lobby",
      reason: "spam",
      by: "service:ops",
    });
  });
});
