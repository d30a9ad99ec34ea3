import { describe, expect, it } from "vitest";
import { eventually } from "../../../support/eventually.ts";
import { AttachedEdge } from "./attached-edge.ts";
import { openReplica, openTestBroker, room, uid } from "./replica.ts";

describe("connections", () => {
  it("replace an older one with the same session, at whichever edge that is", async () => {
    const broker = await openTestBroker();
    const [one, two] = [await openReplica(broker), await openReplica(broker)];
    const [first, second] = [await AttachedEdge.open(one, "run-1"), await AttachedEdge.open(two, "run-2")];
    first.connect("c1", "ann", { sessionHash: "aa" });
    first.connect("c2", "ann", { sessionHash: "bb" });
    await first.join("c1", "lobby");
    second.connect("c3", "ann", { sessionHash: "aa" });
    await second.join("c3", "lobby");
    expect(await first.hears("disconnected")).toMatchObject({ clientId: "c1", closeCode: 4504, reason: "replaced" });
    await first.ask({ case: "disconnect", value: { clientId: "c1", reason: "disconnected" } });
    expect(first.all("disconnected")).toHaveLength(1);
    expect(second.all("disconnected")).toEqual([]);
    expect(first.all("memberExited")).toEqual([]);
  });

  it("are closed, the newest ones, when a user has too many", async () => {
    const broker = await openTestBroker();
    const limits = { maxConnectionsPerUser: 2 };
    const [one, two] = [await openReplica(broker, { limits }), await openReplica(broker, { limits })];
    const [first, second] = [await AttachedEdge.open(one, "run-1"), await AttachedEdge.open(two, "run-2")];
    for (const edge of [first, second]) {
      for (const number of [1, 2]) edge.connect(`${edge.incarnation}-${number}`, "ann");
    }
    first.connect("other", "bob");
    const closed = () => [...first.all("disconnected"), ...second.all("disconnected")];
    await eventually("two to be closed", () => closed().length === 2, { state: closed });
    expect(closed()).toMatchObject([1, 2].map(() => ({ closeCode: 4505, reason: "too_many_connections" })));
    const open = () => [...one.fold.connections.ofUser("ann")].filter((client) => !client.value?.closed);
    const closedIds = closed().map(({ clientId }) => clientId);
    expect(open()).toHaveLength(2);
    for (const client of open()) expect(closedIds).not.toContain(client.clientId);
  });

  it("are listed in the order of their ids, by user, room and edge", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const edge = await AttachedEdge.open(plane, "run-1");
    const far = new AttachedEdge(plane, "run-2", { edgeId: "far" });
    await far.sync();
    for (const [clientId, name] of [
      ["c3", "ann"],
      ["c1", "bob"],
      ["c2", "ann"],
    ] as const)
      edge.connect(clientId, name);
    far.connect("c4", "ann");
    for (const clientId of ["c3", "c1"]) await edge.join(clientId, "lobby");
    await far.join("c4", "lobby");
    await edge.join("c3", "table.1");
    const list = (filter: Partial<Parameters<typeof plane.clients.list>[0]> = {}) =>
      plane.clients.list({ pageSize: 0, pageToken: "", ...filter });
    expect(list().clients.map(({ clientId }) => clientId)).toEqual(["c1", "c2", "c3", "c4"]);
    expect(list({ uid: uid("ann") }).clients.map(({ clientId }) => clientId)).toEqual(["c2", "c3", "c4"]);
    expect(list({ roomId: room("lobby") }).clients.map(({ clientId }) => clientId)).toEqual(["c1", "c3", "c4"]);
    expect(list({ roomId: room("lobby"), edgeId: "edge" }).clients.map(({ clientId }) => clientId)).toEqual([
      "c1",
      "c3",
    ]);
    expect(list({ edgeId: "far", uid: uid("ann") }).clients).toMatchObject([{ clientId: "c4", edgeId: "far" }]);
    expect(list({ uid: uid("nobody") }).clients).toEqual([]);
    expect(list({ uid: uid("ann") }).clients[1]).toMatchObject({ roomId: "table.1", roomIds: ["lobby", "table.1"] });
    const first = list({ uid: uid("ann"), pageSize: 1 });
    await edge.ask({ case: "disconnect", value: { clientId: "c3" } });
    expect(list({ uid: uid("ann"), pageSize: 5, pageToken: first.nextPageToken }).clients).toMatchObject([
      { clientId: "c4" },
    ]);
    expect(() => list({ pageToken: first.nextPageToken })).toThrow(
      expect.objectContaining({ reason: "invalid_argument" }),
    );
    expect(plane.edges.stats()).toMatchObject({ clients: 3, users: 2, rooms: 1, members: 2 });
  });

  it("are closed by user, id or edge, and counted", async () => {
    const broker = await openTestBroker();
    const [one, two] = [await openReplica(broker), await openReplica(broker)];
    const edge = await AttachedEdge.open(one, "run-1");
    const far = new AttachedEdge(two, "run-2", { edgeId: "far" });
    await far.sync();
    edge.connect("c1", "ann");
    edge.connect("c2", "bob");
    edge.connect("c3", "cyd");
    far.connect("c4", "ann");
    far.connect("c5", "dan");
    await eventually("all connections", () => two.edges.stats().clients === 5);
    await expect(one.clients.disconnect({}, "")).rejects.toMatchObject({ reason: "invalid_argument" });
    await expect(one.clients.disconnect({ uid: uid("ann") }, "é".repeat(61))).rejects.toMatchObject({
      reason: "invalid_argument",
    });
    expect(await two.clients.disconnect({ uid: uid("ann"), edgeId: "far" }, "go")).toBe(1);
    expect(await two.clients.disconnect({ uid: uid("ann") }, "")).toBe(1);
    expect(await two.clients.disconnect({ uid: uid("ann") }, "")).toBe(0);
    expect(await two.clients.disconnect({ clientId: "c2" }, "é".repeat(60))).toBe(1);
    expect(await two.clients.disconnect({ clientId: "c2", uid: uid("cyd") }, "")).toBe(0);
    expect(await two.clients.disconnect({ edgeId: "far" }, "")).toBe(1);
    await eventually(
      "all to be told",
      () => edge.all("disconnected").length === 2 && far.all("disconnected").length === 2,
    );
    expect(far.all("disconnected")).toMatchObject([
      { clientId: "c4", closeCode: 4503, reason: "go" },
      { clientId: "c5", closeCode: 4503, reason: "disconnected_by_admin" },
    ]);
  });

  it("keep their rights as the edge said them last", async () => {
    const plane = await openReplica(await openTestBroker());
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann", { rooms: [] });
    expect(await edge.join("c1", "lobby")).toBe("permission_denied");
    edge.connect("c1", "ann", { rooms: ["lobby"] });
    expect(await edge.join("c1", "lobby")).toBe("joined");
  });
});
