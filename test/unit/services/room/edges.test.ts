import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import type { Broker } from "../../../../broker/broker.ts";
import { EdgeTrafficSchema } from "../../../../gen/baccarat/v1/admin_service_pb.ts";
import { EdgeLeaseSchema } from "../../../../gen/baccarat/v1/control_pb.ts";
import { EventSchema } from "../../../../gen/baccarat/v1/event_pb.ts";
import { controlKeys } from "../../../../services/control-keys.ts";
import { FIXED } from "../../../../services/limits.ts";
import { eventually } from "../../../support/eventually.ts";
import { AttachedEdge } from "./attached-edge.ts";
import { openReplica, openTestBroker, room } from "./replica.ts";

describe("an edge that is to drain", () => {
  it("hears so wherever it is attached, and again after every attach", async () => {
    const broker = await openTestBroker();
    const [one, two] = [await openReplica(broker), await openReplica(broker)];
    const lease = create(EdgeLeaseSchema, { edgeId: "edge-7", incarnation: "run-1", connections: 3 });
    const revision = await broker.control.put(controlKeys.lease("run-1"), toBinary(EdgeLeaseSchema, lease));
    await Promise.all([one, two].map((plane) => plane.fold.reached(revision)));
    const edge = await AttachedEdge.open(one, "run-1");
    const recorded: string[] = [];
    const record = async (): Promise<void> => void recorded.push("drain");

    await expect(two.edges.drain("edge-8", record)).rejects.toMatchObject({ reason: "invalid_argument" });
    expect(recorded).toEqual([]);
    expect(await two.edges.drain("edge-7", record)).toBe(3);
    expect(recorded).toEqual(["drain"]);
    await eventually("the decision", () => edge.kinds().includes("drain"));

    const again = await AttachedEdge.open(two, "run-1");
    await eventually("the decision once more", () => again.kinds().includes("drain"));
    expect(again.kinds().indexOf("drain")).toBeGreaterThan(again.kinds().indexOf("attached"));
  });

  it("leaves nothing behind once it is gone", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const lease = create(EdgeLeaseSchema, { edgeId: "edge-7", incarnation: "run-1" });
    const revision = await broker.control.put(controlKeys.lease("run-1"), toBinary(EdgeLeaseSchema, lease));
    await plane.fold.reached(revision);
    await plane.edges.drain("edge-7", async () => undefined);
    await plane.sweeper.sweep(0);
    await plane.sweeper.sweep(FIXED.leaseMs);
    await plane.sweeper.sweep(0);
    expect(await broker.control.get(controlKeys.drain("run-1"))).toBeUndefined();
  });
});

describe("what an edge does", () => {
  it("is listed with it, and goes with its lease", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const lease = create(EdgeLeaseSchema, { edgeId: "edge-7", incarnation: "run-1" });
    const traffic = create(EdgeTrafficSchema, { messagesPerSecond: 2.5, deliveryLagMs: 4 });
    await broker.control.put(controlKeys.traffic("run-1"), toBinary(EdgeTrafficSchema, traffic));
    const revision = await broker.control.put(controlKeys.lease("run-1"), toBinary(EdgeLeaseSchema, lease));
    await plane.fold.reached(revision);
    expect(plane.edges.list()).toMatchObject([
      { edgeId: "edge-7", traffic: { messagesPerSecond: 2.5, deliveryLagMs: 4 } },
    ]);
    await plane.sweeper.sweep(0);
    await plane.sweeper.sweep(FIXED.leaseMs);
    await plane.sweeper.sweep(0);
    expect(await broker.control.get(controlKeys.traffic("run-1"))).toBeUndefined();
  });

  it("counts as events per second of all, once a second is over", async () => {
    const broker = await openTestBroker();
    await publish(broker, "before", 3);
    const plane = await openReplica(broker);
    await publish(broker, "after", 10);
    const rate = await eventually("the rate", () => plane.edges.stats().eventsPerSecond || undefined);
    expect(rate).toBeLessThanOrEqual(2);
  });
});

async function publish(broker: Broker, text: string, times: number): Promise<void> {
  const event = create(EventSchema, { body: { case: "message", value: { message: text } } });
  for (let time = 0; time < times; time++) await broker.publish(room("r"), event);
}
