import { create } from "@bufbuild/protobuf";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { OverloadPolicy } from "../../../../gen/baccarat/v1/room_pb.ts";
import { eventually } from "../../../support/eventually.ts";
import { AttachedEdge } from "./attached-edge.ts";
import { members, openReplica, openTestBroker, room, roomOf } from "./replica.ts";

const mask = (...paths: string[]) => create(FieldMaskSchema, { paths });

describe("rooms", () => {
  it("exist with default settings where creation is open, and not where they are listed", async () => {
    const broker = await openTestBroker();
    const open = await openReplica(broker);
    const listed = await openReplica(broker, { roomCreation: "listed" });
    expect(open.rooms.get(room("lobby"))).toMatchObject({
      roomId: "lobby",
      capacity: 0,
      private: false,
      memberCount: 0,
    });
    expect(() => listed.rooms.get(room("lobby"))).toThrow(expect.objectContaining({ reason: "room_not_found" }));
    await expect(listed.rooms.update(room("lobby"), roomOf({ title: "x" }), undefined)).rejects.toMatchObject({
      reason: "room_not_found",
    });
    await expect(listed.rooms.delete(room("lobby"))).rejects.toMatchObject({ reason: "room_not_found" });
    await listed.rooms.create(room("lobby"), roomOf({ roomId: "lobby", title: "Lobby" }));
    expect(listed.rooms.get(room("lobby")).title).toBe("Lobby");
  });

  it("are created by one of those who try at once", async () => {
    const broker = await openTestBroker();
    const planes = [await openReplica(broker), await openReplica(broker)];
    const tries = await Promise.allSettled(
      planes.flatMap(({ rooms }, index) =>
        ["x", "y"].map((name) => rooms.create(room("lobby"), roomOf({ title: `${name}${index}` }))),
      ),
    );
    const won = tries.flatMap((result) => (result.status === "fulfilled" ? [result.value.title] : []));
    const lost = tries.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
    expect(won).toHaveLength(1);
    expect(lost).toMatchObject([1, 2, 3].map(() => ({ reason: "already_exists" })));
    expect(planes[0]?.rooms.get(room("lobby")).title).toBe(won[0]);
  });

  it("ignore output-only fields and keep the time of their creation", async () => {
    const plane = await openReplica(await openTestBroker());
    const created = await plane.rooms.create(
      room("lobby"),
      roomOf({ title: "a", memberCount: 99, metadata: { a: "1" } }),
    );
    expect(created).toMatchObject({ roomId: "lobby", memberCount: 0, metadata: { a: "1" } });
    const updated = await plane.rooms.update(room("lobby"), roomOf({ frozen: true }), mask("frozen"));
    expect(updated.createTime).toEqual(created.createTime);
    expect(updated).toMatchObject({ title: "a", frozen: true });
  });

  it("change by mask, or without one by what is set", async () => {
    const plane = await openReplica(await openTestBroker());
    const update = (settings: Parameters<typeof roomOf>[0], paths?: string[]) =>
      plane.rooms.update(room("lobby"), roomOf(settings), paths && mask(...paths));
    await update({ title: "a", capacity: 5, slowModeMs: 100, private: true, metadata: { a: "1" } });
    expect(await update({ title: "b" })).toMatchObject({ title: "b", capacity: 5, private: true });
    expect(await update({ title: "c", capacity: 9 }, ["capacity"])).toMatchObject({ title: "b", capacity: 9 });
    const cleared = await update({}, ["title", "capacity", "private", "slow_mode_ms", "metadata"]);
    expect(cleared).toMatchObject({ title: "", capacity: 0, private: false, slowModeMs: 0, metadata: {} });
    for (const path of ["member_count", "constructor", "*", "slowModeMs", ""]) {
      await expect(update({}, [path])).rejects.toMatchObject({ reason: "invalid_argument" });
    }
  });

  it("do not lose one of two changes made at once through a replica", async () => {
    const plane = await openReplica(await openTestBroker());
    await Promise.all([
      plane.rooms.update(room("lobby"), roomOf({ title: "a" }), mask("title")),
      plane.rooms.update(room("lobby"), roomOf({ capacity: 3 }), mask("capacity")),
    ]);
    expect(plane.rooms.get(room("lobby"))).toMatchObject({ title: "a", capacity: 3 });
  });

  it.each([
    ["title", "too long", { title: "x".repeat(129) }],
    ["capacity", "negative", { capacity: -1 }],
    ["capacity", "too large", { capacity: 10_000_001 }],
    ["slow_mode_ms", "negative", { slowModeMs: -1 }],
    ["slow_mode_ms", "too long", { slowModeMs: 3_600_001 }],
    ["overload_policy", "unknown", { overloadPolicy: 9 as OverloadPolicy }],
    ["conflation_interval_ms", "too short", { conflationIntervalMs: 99 }],
    ["conflation_interval_ms", "too long", { conflationIntervalMs: 10_001 }],
    ["metadata", "an empty key", { metadata: { "": "x" } }],
    ["metadata", "a long key", { metadata: { ["k".repeat(65)]: "x" } }],
    ["metadata", "a long value", { metadata: { k: "x".repeat(1_025) } }],
    [
      "metadata",
      "too many keys",
      { metadata: Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`k${index}`, "x"])) },
    ],
  ])("refuse %s: %s", async (field, _, settings) => {
    const plane = await openReplica(await openTestBroker());
    await expect(plane.rooms.create(room("lobby"), roomOf(settings))).rejects.toMatchObject({
      reason: "invalid_argument",
      metadata: { field },
    });
  });

  it("accept settings at their limits", async () => {
    const plane = await openReplica(await openTestBroker());
    const metadata = Object.fromEntries(
      Array.from({ length: 64 }, (_, index) => [`${"k".repeat(62)}${index + 10}`, "\u{1f0a1}".repeat(1_024)]),
    );
    const settings = { title: "\u{1f0a1}".repeat(128), capacity: 10_000_000, slowModeMs: 3_600_000, metadata };
    expect(await plane.rooms.create(room("lobby"), roomOf(settings))).toMatchObject(settings);
  });

  it("are listed in order with settings or members, by prefix, with stable pages", async () => {
    const plane = await openReplica(await openTestBroker());
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    for (const id of ["table.2", "table.1", "zoo"]) await plane.rooms.create(room(id), roomOf({}));
    await edge.join("c1", "table.3");
    const list = (pageToken: string, prefix = "table.") => plane.rooms.list({ pageSize: 2, pageToken, prefix });
    const first = list("");
    expect(first.rooms.map(({ roomId }) => roomId)).toEqual(["table.1", "table.2"]);
    await plane.rooms.delete(room("table.1"));
    await plane.rooms.create(room("table.0"), roomOf({}));
    const second = list(first.nextPageToken);
    expect(second.rooms).toMatchObject([{ roomId: "table.3", memberCount: 1 }]);
    expect(second.nextPageToken).toBe("");
    expect(() => list(first.nextPageToken, "zoo")).toThrow(expect.objectContaining({ reason: "invalid_argument" }));
    await edge.leave("c1", "table.3");
    expect(plane.rooms.list({ pageSize: 0, pageToken: "", prefix: "" }).rooms.map(({ roomId }) => roomId)).toEqual([
      "table.0",
      "table.2",
      "zoo",
    ]);
  });

  it("put everybody out when they are deleted, at every replica, and are gone until created again", async () => {
    const broker = await openTestBroker();
    const [one, two] = [await openReplica(broker), await openReplica(broker)];
    const [near, far] = [await AttachedEdge.open(one, "run-1"), await AttachedEdge.open(two, "run-2")];
    near.connect("c1", "ann");
    far.connect("c2", "bob");
    await near.join("c1", "lobby");
    await far.join("c2", "lobby");
    await one.rooms.delete(room("lobby"));
    for (const [edge, clientId] of [
      [near, "c1"],
      [far, "c2"],
    ] as const) {
      expect(await edge.hears("evicted")).toMatchObject({ clientId, roomId: "lobby", reason: "room_deleted" });
      expect(await edge.join(clientId, "lobby")).toBe("room_not_found");
      await edge.leave(clientId, "lobby");
    }
    await one.rooms.delete(room("lobby"));
    expect(() => one.rooms.get(room("lobby"))).toThrow(expect.objectContaining({ reason: "room_not_found" }));
    expect(one.rooms.list({ pageSize: 0, pageToken: "", prefix: "" }).rooms).toEqual([]);
    expect(await one.rooms.create(room("lobby"), roomOf({ title: "again" }))).toMatchObject({ memberCount: 0 });
    await eventually("the new room at the other replica", () => !two.fold.room(room("lobby"))?.record?.deleted);
    expect(await far.join("c2", "lobby")).toBe("joined");
    expect(members(one, "lobby")).toEqual(["bob"]);
  });

  it("take nobody back in who was put out by a deletion", async () => {
    const plane = await openReplica(await openTestBroker());
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    await edge.join("c1", "lobby");
    await plane.rooms.delete(room("lobby"));
    await plane.rooms.create(room("lobby"), roomOf({}));
    expect(members(plane, "lobby")).toEqual([]);
  });

  it("have no settings when they are direct conversations", async () => {
    const plane = await openReplica(await openTestBroker());
    expect(() => plane.rooms.get(room("direct:a:b"))).toThrow(expect.objectContaining({ reason: "invalid_argument" }));
    await expect(plane.rooms.delete(room("direct:a:b"))).rejects.toMatchObject({ reason: "invalid_argument" });
  });

  it("tell edges that host them what they have to enforce", async () => {
    const broker = await openTestBroker();
    const [one, two] = [await openReplica(broker), await openReplica(broker)];
    const [host, other] = [await AttachedEdge.open(one, "run-1"), await AttachedEdge.open(one, "run-2")];
    host.connect("c1", "ann");
    expect(await host.joined("c1", "lobby")).toMatchObject({
      policy: {
        roomId: "lobby",
        frozen: false,
        slowModeMs: 0,
        overloadPolicy: OverloadPolicy.QUEUE,
        conflationIntervalMs: 1_000,
      },
    });
    expect(one.rooms.settings(room("lobby"))).toBeUndefined();
    await two.rooms.update(room("lobby"), roomOf({ frozen: true, slowModeMs: 500 }), undefined);
    expect(await host.hears("roomPolicy")).toMatchObject({ roomId: "lobby", frozen: true, slowModeMs: 500 });
    await two.rooms.update(room("lobby"), roomOf({ overloadPolicy: OverloadPolicy.LATEST_ONLY }), undefined);
    const latestOnly = { overloadPolicy: OverloadPolicy.LATEST_ONLY, conflationIntervalMs: 1_000 };
    await host.hears("roomPolicy", (policy) => policy.overloadPolicy !== OverloadPolicy.QUEUE);
    expect(host.all("roomPolicy").at(-1)).toMatchObject({ frozen: true, ...latestOnly });
    expect(other.kinds()).toEqual(["attached"]);
  });
});
