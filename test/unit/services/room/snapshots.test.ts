import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import type { Broker } from "../../../../broker/broker.ts";
import { SnapshotRecordSchema } from "../../../../gen/baccarat/v1/control_pb.ts";
import type { Event } from "../../../../gen/baccarat/v1/event_pb.ts";
import type { Service } from "../../../../services/auth.ts";
import { controlKeys } from "../../../../services/control-keys.ts";
import type { ControlPlane } from "../../../../services/room/control-plane.ts";
import { AttachedEdge } from "./attached-edge.ts";
import { FlakyBroker } from "./flaky-broker.ts";
import { OPS, openReplica, openTestBroker, room, roomOf, store } from "./replica.ts";

const DEALER: Service = { kind: "service", name: "dealer", scopes: new Set(["publish"]) };

async function publish(plane: ControlPlane, key: string, data: unknown, id = "table"): Promise<number> {
  const dataJson = JSON.stringify(data);
  const request = { room: room(id), type: "table.state", dataJson, snapshotKey: key, idempotencyKey: "" };
  return (await plane.messages.storeEvent(DEALER, request)).seq;
}

/** A room's snapshot: data by key, in the order of the seqs. */
async function snapshot(plane: ControlPlane, id = "table"): Promise<[string, unknown][]> {
  const [, { events }] = await plane.snapshots.asOf(room(id), () => plane.history.recover(room(id), undefined, 0));
  return events.map(entry);
}

function entry({ body }: Event): [string, unknown] {
  if (body.case !== "customEvent") throw new Error("something else is in the snapshot");
  return [body.value.snapshotKey, JSON.parse(body.value.dataJson)];
}

/** Data by key as the control log has it. */
async function recorded(broker: Broker, ...keys: string[]): Promise<unknown[]> {
  const entries = await Promise.all(keys.map((key) => broker.control.get(controlKeys.snapshot(room("table"), key))));
  return entries.map((found) => {
    const event = found?.value && fromBinary(SnapshotRecordSchema, found.value).event;
    return event && entry(event)[1];
  });
}

describe("snapshots", () => {
  it("hold the latest of each key at every replica, in the order of the log", async () => {
    const broker = await openTestBroker();
    const [one, two] = [await openReplica(broker), await openReplica(broker)];
    await publish(one, "shoe", 1);
    await publish(two, "hand", "a");
    await publish(one, "shoe", 2);
    for (const plane of [one, two]) {
      expect(await snapshot(plane)).toEqual([
        ["hand", "a"],
        ["shoe", 2],
      ]);
      expect(await snapshot(plane, "other")).toEqual([]);
    }
  });

  it("lose a key by null, and by nothing else", async () => {
    const plane = await openReplica(await openTestBroker());
    for (const [key, data] of [
      ["a", 1],
      ["b", 2],
      ["c", 0],
      ["d", {}],
      ["e", ""],
      ["f", false],
    ] as const) {
      await publish(plane, key, data);
    }
    await publish(plane, "a", null);
    await publish(plane, "never", null);
    expect((await snapshot(plane)).map(([key]) => key)).toEqual(["b", "c", "d", "e", "f"]);
  });

  it("outlive the history and every replica, recorded or not", async () => {
    const broker = await openTestBroker({ maxMessages: 2 });
    const flaky = new FlakyBroker(broker);
    const before = await openReplica(flaky.broker);
    await publish(before, "shoe", 1);
    await publish(before, "gone", 1);
    await before.snapshots.flush();
    await publish(before, "gone", null);
    await before.snapshots.flush();
    await store(broker, "table", ["one", "two", "three", "four"]);
    // Killed before it records that.
    flaky.fail((_, key) => (key.startsWith("snapshot.") ? "lost" : undefined));
    await publish(before, "hand", 7);
    await before.close();
    expect(await recorded(broker, "hand")).toEqual([undefined]);
    const after = await openReplica(broker);
    expect(await snapshot(after)).toEqual([
      ["shoe", 1],
      ["hand", 7],
    ]);
    await after.snapshots.flush();
    expect(await recorded(broker, "shoe", "gone", "hand")).toEqual([1, undefined, 7]);
  });

  it("of another log count no more, but for what is in this one", async () => {
    const real = await openTestBroker();
    const before = await openReplica(real);
    await publish(before, "shoe", 1);
    await before.snapshots.flush();
    const record = (await real.control.get(controlKeys.snapshot(room("table"), "shoe")))?.value ?? new Uint8Array();
    await real.control.put(controlKeys.snapshot(room("table"), "ghost"), record);
    const broker = new Proxy(real, {
      get: (target, property) => {
        const value: unknown = property === "epoch" ? "restored" : Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const after = await openReplica(broker);
    expect(await snapshot(after)).toEqual([["shoe", 1]]);
    await after.snapshots.flush();
    expect(await recorded(broker, "shoe", "ghost")).toEqual([1, undefined]);
  });

  it("are put right when an older write lands after a newer one", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    await publish(plane, "shoe", 1);
    await plane.snapshots.flush();
    const key = controlKeys.snapshot(room("table"), "shoe");
    const old = (await broker.control.get(key))?.value ?? new Uint8Array();
    await publish(plane, "shoe", 2);
    await plane.snapshots.flush();
    await plane.fold.reached(await broker.control.put(key, old));
    expect(await snapshot(plane)).toEqual([["shoe", 2]]);
    await plane.snapshots.flush();
    expect(await recorded(broker, "shoe")).toEqual([2]);
    // A deletion that was meant for an older event.
    await plane.fold.reached(await broker.control.delete(key));
    await plane.snapshots.flush();
    expect(await recorded(broker, "shoe")).toEqual([2]);
  });

  it("end with the room, and do not come back with it", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    await publish(plane, "shoe", 1);
    await plane.snapshots.flush();
    await publish(plane, "hand", 1);
    await plane.moderating.administration.delete(OPS, room("table"));
    await plane.moderating.administration.create(OPS, room("table"), roomOf({ title: "again" }));
    await plane.moderating.administration.update(
      OPS,
      { room: room("table") },
      roomOf({ title: "and again" }),
      undefined,
    );
    expect(await snapshot(plane)).toEqual([]);
    await publish(plane, "shoe", 3);
    const other = await openReplica(broker);
    expect(await snapshot(other)).toEqual([["shoe", 3]]);
    await other.snapshots.flush();
    expect(await recorded(broker, "shoe", "hand")).toEqual([3, undefined]);
  });

  it("have at most 16 keys, counted before they are stored", async () => {
    const plane = await openReplica(await openTestBroker());
    const tries = Array.from({ length: 20 }, (_, index) => publish(plane, `k${index}`, index));
    const outcomes = await Promise.allSettled(tries);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(16);
    await expect(publish(plane, "more", 1)).rejects.toMatchObject({ reason: "snapshot_full", retryable: false });
    await publish(plane, "k0", "again");
    await publish(plane, "k1", null);
    await publish(plane, "more", 1);
    expect(await snapshot(plane)).toHaveLength(16);
  });

  it("have at most 256 KiB, and so much in all rooms together", async () => {
    const data = "x".repeat(32 * 1024 - 2);
    const plane = await openReplica(await openTestBroker(), { limits: { maxSnapshotBytes: 10 * 32 * 1024 } });
    for (let index = 0; index < 8; index++) await publish(plane, `k${index}`, data);
    const full = { reason: "snapshot_full" };
    await expect(publish(plane, "k8", 1)).rejects.toMatchObject(full);
    await publish(plane, "k0", `${data.slice(1)}y`);
    await publish(plane, "k0", 1);
    await publish(plane, "k8", 1);
    for (let index = 0; index < 2; index++) await publish(plane, `k${index}`, data, "other");
    await expect(publish(plane, "k2", data, "other")).rejects.toMatchObject(full);
    await publish(plane, "k1", 1, "other");
  });

  it("are as of the position that was read, whatever is published meanwhile", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    await publish(plane, "shoe", 0);
    let stop = false;
    const publishing = (async () => {
      for (let data = 1; !stop; data++) await publish(plane, "shoe", data);
    })();
    for (let round = 0; round < 20; round++) {
      const [{ seq }, { events }] = await plane.snapshots.asOf(room("table"), async () => {
        const position = await plane.history.recover(room("table"), undefined, 0);
        await publish(plane, "other", round);
        return position;
      });
      const shoe = events.find(({ body }) => body.case === "customEvent" && body.value.snapshotKey === "shoe");
      const { events: log } = await broker.history(room("table"), { limit: 300, after: Number(shoe?.seq ?? 0n) });
      const missed = log.filter((stored) => stored.seq <= seq && entry(stored.event)[0] === "shoe");
      expect({ missed, late: Number(shoe?.seq) > seq }).toEqual({ missed: [], late: false });
    }
    stop = true;
    await publishing;
  });
});

describe("an edge", () => {
  it("is given a snapshot with the join, unless it has it", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    expect((await edge.joined("c1", "table")).snapshot).toBeUndefined();
    const seq = await publish(plane, "shoe", 1);
    const given = await edge.joined("c1", "table");
    expect(given.snapshot?.events.map(entry)).toEqual([["shoe", 1]]);
    await store(broker, "table", ["chat"]);
    expect((await edge.joined("c1", "table", { snapshotSeq: BigInt(seq) })).snapshot).toBeUndefined();
    const cleared = await publish(plane, "shoe", null);
    expect((await edge.joined("c1", "table", { snapshotSeq: BigInt(seq) })).snapshot?.events).toEqual([]);
    expect((await edge.joined("c1", "table", { snapshotSeq: BigInt(cleared) })).snapshot).toBeUndefined();
  });
});
