import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import type { Broker } from "../../../../broker/broker.ts";
import { SnapshotRecordSchema } from "../../../../gen/baccarat/v1/control_pb.ts";
import { controlKeys } from "../../../../services/control-keys.ts";
import { AttachedEdge } from "./attached-edge.ts";
import { FlakyBroker } from "./flaky-broker.ts";
import { OPS, openReplica, openTestBroker, room, roomOf, store } from "./replica.ts";
import { entryOf, publishState, shownSnapshot } from "./snapshot-states.ts";

/** Data by key as the control log has it. */
async function recorded(broker: Broker, ...keys: string[]): Promise<unknown[]> {
  const entries = await Promise.all(keys.map((key) => broker.control.get(controlKeys.snapshot(room("table"), key))));
  return entries.map((found) => {
    const event = found?.value && fromBinary(SnapshotRecordSchema, found.value).event;
    return event && entryOf(event)[1];
  });
}

describe("snapshots", () => {
  it("hold the latest of each key at every replica, in the order of the log", async () => {
    const broker = await openTestBroker();
    const [one, two] = [await openReplica(broker), await openReplica(broker)];
    await publishState(one, "shoe", 1);
    await publishState(two, "hand", "a");
    await publishState(one, "shoe", 2);
    for (const plane of [one, two]) {
      expect(await shownSnapshot(plane)).toEqual([
        ["hand", "a"],
        ["shoe", 2],
      ]);
      expect(await shownSnapshot(plane, "other")).toEqual([]);
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
      await publishState(plane, key, data);
    }
    await publishState(plane, "a", null);
    await publishState(plane, "never", null);
    expect((await shownSnapshot(plane)).map(([key]) => key)).toEqual(["b", "c", "d", "e", "f"]);
  });

  it("outlive the history and every replica, recorded or not", async () => {
    const broker = await openTestBroker({ maxMessages: 2 });
    const flaky = new FlakyBroker(broker);
    const before = await openReplica(flaky.broker);
    await publishState(before, "shoe", 1);
    await publishState(before, "gone", 1);
    await before.snapshots.flush();
    await publishState(before, "gone", null);
    await before.snapshots.flush();
    await store(broker, "table", ["one", "two", "three", "four"]);
    // Killed before it records that.
    flaky.fail((_, key) => (key.startsWith("snapshot.") ? "lost" : undefined));
    await publishState(before, "hand", 7);
    await before.close();
    expect(await recorded(broker, "hand")).toEqual([undefined]);
    const after = await openReplica(broker);
    expect(await shownSnapshot(after)).toEqual([
      ["shoe", 1],
      ["hand", 7],
    ]);
    await after.snapshots.flush();
    expect(await recorded(broker, "shoe", "gone", "hand")).toEqual([1, undefined, 7]);
  });

  it("outlive a change of the epoch, as far as the log goes", async () => {
    const real = await openTestBroker();
    const before = await openReplica(real);
    const seq = await publishState(before, "shoe", 1);
    await before.snapshots.flush();
    const event = (position: number, snapshotKey: string) => {
      const body = { case: "customEvent", value: { type: "a.b", dataJson: "7", snapshotKey } } as const;
      return { roomId: "table", seq: BigInt(position), body };
    };
    const put = (position: number, key: string) => {
      const record = create(SnapshotRecordSchema, { epoch: real.epoch, event: event(position, key) });
      return real.control.put(controlKeys.snapshot(room("table"), key), toBinary(SnapshotRecordSchema, record));
    };
    // Of what retention took, and of what came after the backup.
    await put(seq, "kept");
    await put(seq + 100, "lost");
    const broker = new Proxy(real, {
      get: (target, property) => {
        const value: unknown = property === "epoch" ? "restored" : Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    for (let again = 0; again < 2; again++) {
      const after = await openReplica(broker);
      expect((await shownSnapshot(after)).sort()).toEqual([
        ["kept", 7],
        ["shoe", 1],
      ]);
      await after.snapshots.flush();
      expect(await recorded(broker, "shoe", "kept", "lost")).toEqual([1, 7, undefined]);
    }
  });

  it("are put right when an older write lands after a newer one", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    await publishState(plane, "shoe", 1);
    await plane.snapshots.flush();
    const key = controlKeys.snapshot(room("table"), "shoe");
    const old = (await broker.control.get(key))?.value ?? new Uint8Array();
    await publishState(plane, "shoe", 2);
    await plane.snapshots.flush();
    await plane.fold.reached(await broker.control.put(key, old));
    expect(await shownSnapshot(plane)).toEqual([["shoe", 2]]);
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
    await publishState(plane, "shoe", 1);
    await plane.snapshots.flush();
    await publishState(plane, "hand", 1);
    await plane.moderating.administration.delete(OPS, room("table"));
    await plane.moderating.administration.create(OPS, room("table"), roomOf({ title: "again" }));
    await plane.moderating.administration.update(
      OPS,
      { room: room("table") },
      roomOf({ title: "and again" }),
      undefined,
    );
    expect(await shownSnapshot(plane)).toEqual([]);
    await publishState(plane, "shoe", 3);
    const other = await openReplica(broker);
    expect(await shownSnapshot(other)).toEqual([["shoe", 3]]);
    await other.snapshots.flush();
    expect(await recorded(broker, "shoe", "hand")).toEqual([3, undefined]);
  });

  it("have at most 16 keys, counted before they are stored", async () => {
    const plane = await openReplica(await openTestBroker());
    const tries = Array.from({ length: 20 }, (_, index) => publishState(plane, `k${index}`, index));
    const outcomes = await Promise.allSettled(tries);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(16);
    await expect(publishState(plane, "more", 1)).rejects.toMatchObject({ reason: "snapshot_full", retryable: false });
    await publishState(plane, "k0", "again");
    await publishState(plane, "k1", null);
    await publishState(plane, "more", 1);
    expect(await shownSnapshot(plane)).toHaveLength(16);
  });

  it("have at most 256 KiB, and so much in all rooms together", async () => {
    const data = "x".repeat(32 * 1024 - 2);
    const plane = await openReplica(await openTestBroker(), { limits: { maxSnapshotBytes: 10 * 32 * 1024 } });
    for (let index = 0; index < 8; index++) await publishState(plane, `k${index}`, data);
    const full = { reason: "snapshot_full" };
    await expect(publishState(plane, "k8", 1)).rejects.toMatchObject(full);
    await publishState(plane, "k0", `${data.slice(1)}y`);
    await publishState(plane, "k0", 1);
    await publishState(plane, "k8", 1);
    for (let index = 0; index < 2; index++) await publishState(plane, `k${index}`, data, "other");
    await expect(publishState(plane, "k2", data, "other")).rejects.toMatchObject(full);
    await publishState(plane, "k1", 1, "other");
  });

  it("are as of the position that was read, whatever is published meanwhile", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    await publishState(plane, "shoe", 0);
    let stop = false;
    const publishing = (async () => {
      for (let data = 1; !stop; data++) await publishState(plane, "shoe", data);
    })();
    for (let round = 0; round < 20; round++) {
      const [{ seq }, { events }] = await plane.snapshots.asOf(room("table"), async () => {
        const position = await plane.history.recover(room("table"), undefined, 0);
        await publishState(plane, "other", round);
        return position;
      });
      const shoe = events.find(({ body }) => body.case === "customEvent" && body.value.snapshotKey === "shoe");
      const { events: log } = await broker.history(room("table"), { limit: 300, after: Number(shoe?.seq ?? 0n) });
      const missed = log.filter((stored) => stored.seq <= seq && entryOf(stored.event)[0] === "shoe");
      expect({ missed, late: Number(shoe?.seq) > seq }).toEqual({ missed: [], late: false });
    }
    stop = true;
    await publishing;
  });
});

describe("a replica that hears nothing any more", () => {
  it("reads what it lacks, as far as a page goes", async () => {
    const real = await openTestBroker();
    let deaf = false;
    const broker = new Proxy(real, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property, target);
        if (property !== "tail") return typeof value === "function" ? value.bind(target) : value;
        const tail: Broker["tail"] = (after, listener, onCaughtUp) =>
          real.tail(after, (stored) => deaf || listener(stored), onCaughtUp);
        return tail;
      },
    });
    const [plane, other] = [await openReplica(broker), await openReplica(real)];
    await publishState(plane, "shoe", 1);
    await publishState(plane, "hand", 1);
    expect(await shownSnapshot(plane)).toHaveLength(2);
    deaf = true;
    await publishState(other, "shoe", 2);
    await publishState(other, "hand", null);
    await store(real, "table", ["chat"]);
    expect(await shownSnapshot(plane)).toEqual([["shoe", 2]]);
    await store(
      real,
      "table",
      Array.from({ length: 300 }, () => "more"),
    );
    await expect(shownSnapshot(plane)).rejects.toMatchObject({ reason: "unavailable" });
  });
});

describe("an edge", () => {
  it("is given a snapshot with the join, unless it has it", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    expect((await edge.joined("c1", "table")).snapshot).toBeUndefined();
    const seq = await publishState(plane, "shoe", 1);
    const given = await edge.joined("c1", "table");
    expect(given.snapshot?.events.map(entryOf)).toEqual([["shoe", 1]]);
    await store(broker, "table", ["chat"]);
    expect((await edge.joined("c1", "table", { snapshotSeq: BigInt(seq) })).snapshot).toBeUndefined();
    const cleared = await publishState(plane, "shoe", null);
    expect((await edge.joined("c1", "table", { snapshotSeq: BigInt(seq) })).snapshot?.events).toEqual([]);
    expect((await edge.joined("c1", "table", { snapshotSeq: BigInt(cleared) })).snapshot).toBeUndefined();
  });
});
