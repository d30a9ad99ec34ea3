import { describe, expect, it } from "vitest";
import { controlKeys } from "../../../../services/control-keys.ts";
import { eventually } from "../../../support/eventually.ts";
import { AttachedEdge, connectCommand } from "./attached-edge.ts";
import { FlakyBroker } from "./flaky-broker.ts";
import { members, openReplica, openTestBroker, room, uid } from "./replica.ts";

const entries = (operation: string) => (actual: string, key: string) =>
  actual === operation && key.startsWith("entry.") ? ("lost" as const) : undefined;

describe("while the store fails", () => {
  it("a join is unavailable, and leaves nothing behind although its write was stored", async () => {
    const flaky = new FlakyBroker(await openTestBroker());
    const plane = await openReplica(flaky.broker);
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    const heal = flaky.fail((operation, key) =>
      operation === "put" && key.startsWith("entry.") ? "unanswered" : undefined,
    );
    expect(await edge.join("c1", "lobby")).toBe("unavailable");
    heal();
    await eventually("the entry to be deleted", () => plane.fold.room(room("lobby")) === undefined);
    expect(await edge.join("c1", "lobby")).toBe("joined");
    expect(members(plane, "lobby")).toEqual(["ann"]);
  });

  it("a leave is carried out once it can be, and before what the client does next", async () => {
    const flaky = new FlakyBroker(await openTestBroker());
    const plane = await openReplica(flaky.broker);
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    await edge.join("c1", "lobby");
    const heal = flaky.fail(entries("delete"));
    const left = edge.leave("c1", "lobby");
    const joined = edge.join("c1", "lobby");
    heal();
    await left;
    expect(await joined).toBe("joined");
    expect(edge.all("memberExited")).toEqual([]);
    expect(members(plane, "lobby")).toEqual(["ann"]);
  });

  it("a connection is registered once it can be", async () => {
    const flaky = new FlakyBroker(await openTestBroker());
    const plane = await openReplica(flaky.broker);
    const edge = await AttachedEdge.open(plane, "run-1");
    const heal = flaky.fail((_, key) => (key.startsWith("client.") || key.startsWith("user.") ? "lost" : undefined));
    edge.connect("c1", "ann");
    const joined = edge.join("c1", "lobby");
    heal();
    expect(await joined).toBe("joined");
    expect(plane.edges.stats()).toMatchObject({ clients: 1 });
    expect(await plane.direct.recipients.conversation(uid("bob"), uid("ann"))).toBe("direct:ann:bob");
  });

  it("an edge that goes elsewhere in the middle of a leave finds it done there", async () => {
    const broker = await openTestBroker();
    const flaky = new FlakyBroker(broker);
    const [one, two] = [await openReplica(flaky.broker), await openReplica(broker)];
    const edge = await AttachedEdge.open(one, "run-1");
    edge.connect("c1", "ann");
    await edge.join("c1", "lobby");
    flaky.fail(entries("delete"));
    edge.say({ case: "leave", value: { clientId: "c1", roomId: "lobby", reason: "left" } });
    await edge.cut();
    const moved = new AttachedEdge(two, "run-1");
    moved.say(connectCommand("c1", "ann"));
    await moved.sync();
    expect(members(two, "lobby")).toEqual([]);
  });

  it("a dead edge is swept in a later round", async () => {
    const flaky = new FlakyBroker(await openTestBroker());
    const plane = await openReplica(flaky.broker);
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    await edge.join("c1", "lobby");
    await edge.cut();
    const heal = flaky.fail((operation) => (operation === "delete" ? "lost" : undefined));
    await plane.sweeper.sweep(0);
    await plane.sweeper.sweep(10_000);
    expect(members(plane, "lobby")).toEqual([]);
    expect((await flaky.broker.control.get(controlKeys.client("run-1", "c1")))?.value).toBeDefined();
    heal();
    await plane.sweeper.sweep(0);
    expect((await flaky.broker.control.get(controlKeys.client("run-1", "c1")))?.value).toBeUndefined();
  });

  it("replies of a replica that stops following the log are unavailable, in time", async () => {
    const flaky = new FlakyBroker(await openTestBroker());
    const plane = await openReplica(flaky.broker);
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    await edge.join("c1", "lobby");
    flaky.holdWatch();
    expect(await edge.join("c1", "other")).toBe("unavailable");
  });
});
