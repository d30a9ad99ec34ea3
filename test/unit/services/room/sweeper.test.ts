import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import type { Broker } from "../../../../broker/broker.ts";
import { EdgeLeaseSchema } from "../../../../gen/baccarat/v1/control_pb.ts";
import { controlKeys } from "../../../../services/control-keys.ts";
import { FIXED } from "../../../../services/limits.ts";
import type { ControlPlane } from "../../../../services/room/control-plane.ts";
import { eventually } from "../../../support/eventually.ts";
import { AttachedEdge } from "./attached-edge.ts";
import { FlakyBroker } from "./flaky-broker.ts";
import { members, openReplica, openTestBroker } from "./replica.ts";

/** Renews an edge's lease, and waits until the replicas have seen it. */
async function renew(broker: Broker, incarnation: string, planes: readonly ControlPlane[]): Promise<void> {
  const lease = create(EdgeLeaseSchema, { edgeId: `edge of ${incarnation}`, incarnation });
  const revision = await broker.control.put(controlKeys.lease(incarnation), toBinary(EdgeLeaseSchema, lease));
  await Promise.all(planes.map((plane) => plane.fold.reached(revision)));
}

/** Lets a lease's time pass at a replica, in two rounds: before the first, it has seen nothing. */
async function passLease(plane: ControlPlane): Promise<void> {
  await plane.sweeper.sweep(0);
  await plane.sweeper.sweep(FIXED.leaseMs);
}

describe("leases", () => {
  it("end, and with them what the edge left, told as edge_lost", async () => {
    const broker = await openTestBroker();
    const [one, two] = [await openReplica(broker), await openReplica(broker)];
    const dead = await AttachedEdge.open(one, "run-1");
    const alive = await AttachedEdge.open(two, "run-2");
    dead.connect("c1", "ann");
    dead.connect("c2", "bob");
    alive.connect("c3", "cyd");
    alive.connect("c4", "bob");
    for (const clientId of ["c1", "c2"]) await dead.join(clientId, "lobby");
    for (const clientId of ["c3", "c4"]) await alive.join(clientId, "lobby");
    await renew(broker, "run-1", [one, two]);
    await renew(broker, "run-2", [one, two]);
    expect(one.edges.list().map(({ incarnation }) => incarnation)).toEqual(["run-1", "run-2"]);
    await dead.cut();
    await two.sweeper.sweep(FIXED.leaseMs - 1);
    await renew(broker, "run-2", [one, two]);
    expect(members(two, "lobby")).toEqual(["ann", "bob", "cyd"]);
    await two.sweeper.sweep(1);
    expect(await alive.hears("memberExited")).toMatchObject({ member: { uid: "ann" }, count: 2, reason: "edge_lost" });
    expect(alive.all("memberExited")).toHaveLength(1);
    await eventually("the other replica to see it", () => one.edges.stats().clients === 2);
    expect(one.edges.list().map(({ incarnation }) => incarnation)).toEqual(["run-2"]);
    for (const key of [
      controlKeys.lease("run-1"),
      controlKeys.client("run-1", "c1"),
      controlKeys.attachment("run-1"),
    ]) {
      expect((await broker.control.get(key))?.value).toBeUndefined();
    }
    expect((await broker.control.get(controlKeys.fence("run-1")))?.value).toBeDefined();
  });

  it("are never missed twice: an edge given up hears of it, and its late entries do not count", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const edge = await AttachedEdge.open(plane, "run-1");
    const witness = await AttachedEdge.open(plane, "run-2");
    edge.connect("c1", "ann");
    await edge.join("c1", "lobby");
    witness.connect("c2", "bob");
    await witness.join("c2", "lobby");
    const key = [...(plane.fold.connections.clients.get("c1")?.entries.values() ?? [])].map((entry) =>
      controlKeys.entry(entry.room, entry.uid, entry.incarnation, entry.clientId),
    )[0];
    const entry = await broker.control.get(key ?? "");
    await plane.sweeper.sweep(0);
    await renew(broker, "run-2", [plane]);
    await plane.sweeper.sweep(FIXED.leaseMs - 1);
    await renew(broker, "run-2", [plane]);
    await plane.sweeper.sweep(1);
    expect(await edge.ended).toBeUndefined();
    expect(edge.kinds().at(-1)).toBe("fenced");
    const before = witness.heard.length;
    await plane.fold.reached(await broker.control.put(key ?? "", entry?.value ?? new Uint8Array()));
    expect(members(plane, "lobby")).toEqual(["bob"]);
    await plane.sweeper.sweep(0);
    expect((await broker.control.get(key ?? ""))?.value).toBeUndefined();
    expect(witness.heard.slice(before)).toEqual([]);
  });

  it("do not flap a user who came back by another edge in time", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const dead = await AttachedEdge.open(plane, "run-1");
    const witness = await AttachedEdge.open(plane, "run-2");
    dead.connect("c1", "ann");
    witness.connect("c2", "bob");
    await dead.join("c1", "lobby");
    await witness.join("c2", "lobby");
    await dead.cut();
    const restarted = await AttachedEdge.open(plane, "run-3");
    restarted.connect("c9", "ann");
    await restarted.join("c9", "lobby");
    const before = witness.heard.length;
    await plane.sweeper.sweep(0);
    for (const run of ["run-2", "run-3"]) await renew(broker, run, [plane]);
    await plane.sweeper.sweep(FIXED.leaseMs - 1);
    for (const run of ["run-2", "run-3"]) await renew(broker, run, [plane]);
    await plane.sweeper.sweep(1);
    expect(plane.fold.connections.clients.get("c1")).toBeUndefined();
    expect(members(plane, "lobby")).toEqual(["ann", "bob"]);
    expect(witness.heard.slice(before)).toEqual([]);
  });

  it("of edges that never had one end too", async () => {
    const plane = await openReplica(await openTestBroker());
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    await edge.join("c1", "lobby");
    await edge.cut();
    await passLease(plane);
    expect(members(plane, "lobby")).toEqual([]);
    expect(plane.edges.stats()).toMatchObject({ clients: 0, members: 0, edges: 0 });
  });

  it("are given their full time again after an interruption of the watch", async () => {
    const broker = await openTestBroker();
    const flaky = new FlakyBroker(broker);
    const plane = await openReplica(flaky.broker);
    await renew(broker, "run-1", [plane]);
    await plane.sweeper.sweep(FIXED.leaseMs - 1);
    flaky.watcher.onInterrupted();
    await plane.sweeper.sweep(FIXED.leaseMs);
    flaky.watcher.onCaughtUp();
    await plane.sweeper.sweep(FIXED.leaseMs - 1);
    await plane.sweeper.sweep(FIXED.leaseMs - 1);
    expect(plane.edges.list()).toHaveLength(1);
    await plane.sweeper.sweep(1);
    expect(plane.edges.list()).toEqual([]);
  });

  it("are not ended by a replica whose watch is late without knowing", async () => {
    const broker = await openTestBroker();
    const flaky = new FlakyBroker(broker);
    const plane = await openReplica(flaky.broker);
    await renew(broker, "run-1", [plane]);
    flaky.holdWatch();
    await renew(broker, "run-1", []);
    await passLease(plane);
    expect((await broker.control.get(controlKeys.fence("run-1")))?.value).toBeUndefined();
    expect(plane.edges.list()).toHaveLength(1);
  });

  it("are ended by any replica, which finishes what another began", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    await edge.join("c1", "lobby");
    await broker.control.create(controlKeys.fence("run-1"), new Uint8Array());
    const other = await openReplica(broker);
    await Promise.all([plane.sweeper.sweep(0), other.sweeper.sweep(0)]);
    expect(other.edges.stats()).toMatchObject({ clients: 0, members: 0 });
  });
});
