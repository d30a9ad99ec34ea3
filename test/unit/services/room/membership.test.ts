import { describe, expect, it } from "vitest";
import { controlKeys } from "../../../../services/control-keys.ts";
import { eventually } from "../../../support/eventually.ts";
import { AttachedEdge } from "./attached-edge.ts";
import { kick, members, openReplica, openTestBroker, room, roomOf, uid } from "./replica.ts";

describe("joining", () => {
  it("admits as many users as fit, the same at every replica, however many come at once", async () => {
    const broker = await openTestBroker();
    const planes = [await openReplica(broker), await openReplica(broker)] as const;
    await planes[0].rooms.create(room("small"), roomOf({ roomId: "small", capacity: 3 }));
    const edges = await Promise.all(planes.map((plane, index) => AttachedEdge.open(plane, `run-${index}`)));
    const outcomes = await Promise.all(
      edges.flatMap((edge, index) =>
        Array.from({ length: 10 }, (_, number) => {
          edge.connect(`c${index}-${number}`, `user${index}-${number}`);
          return edge.join(`c${index}-${number}`, "small");
        }),
      ),
    );
    expect(outcomes.filter((outcome) => outcome === "joined")).toHaveLength(3);
    expect(outcomes.filter((outcome) => outcome === "room_full")).toHaveLength(17);
    for (const plane of planes) {
      await eventually("only entries of members to be left", () => plane.fold.room(room("small"))?.entries.size === 3);
      expect(members(plane, "small")).toHaveLength(3);
    }
    expect(members(planes[0], "small")).toEqual(members(planes[1], "small"));
  });

  it("lets a member of a full room in with a further connection, and others once there is space", async () => {
    const plane = await openReplica(await openTestBroker(), { limits: { maxMembersPerRoom: 1 } });
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    edge.connect("c2", "ann");
    edge.connect("c3", "bob");
    expect(await edge.join("c1", "lobby")).toBe("joined");
    expect(await edge.join("c2", "lobby")).toBe("joined");
    expect(await edge.join("c3", "lobby")).toBe("room_full");
    await edge.leave("c1", "lobby");
    expect(await edge.join("c3", "lobby")).toBe("room_full");
    await edge.leave("c2", "lobby");
    expect(await edge.join("c3", "lobby")).toBe("joined");
  });

  it("asks for permission: private rooms, token patterns and roles", async () => {
    const plane = await openReplica(await openTestBroker());
    await plane.rooms.create(room("vip"), roomOf({ roomId: "vip", private: true }));
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("guest", "ann");
    edge.connect("named", "bob", { rooms: ["vip"] });
    edge.connect("other", "cyd", { rooms: ["table.*"] });
    edge.connect("moderator", "dan", { roles: ["moderator:vip"], rooms: [] });
    expect(await edge.join("guest", "vip")).toBe("permission_denied");
    expect(await edge.join("named", "vip")).toBe("joined");
    expect(await edge.join("other", "vip")).toBe("permission_denied");
    expect(await edge.join("other", "table.7")).toBe("joined");
    expect(await edge.join("other", "lobby")).toBe("permission_denied");
    expect(await edge.joined("moderator", "vip")).toMatchObject({ moderator: true });
  });

  it("bounds the rooms of a connection, but not joining one again", async () => {
    const plane = await openReplica(await openTestBroker(), { limits: { maxRoomsPerConnection: 2 } });
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    for (const id of ["a", "b"]) expect(await edge.join("c1", id)).toBe("joined");
    expect(await edge.join("c1", "c")).toBe("too_many_rooms");
    expect(await edge.join("c1", "b")).toBe("joined");
  });

  it("makes nobody a member of a direct conversation, which only its two users may read", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    edge.connect("c2", "eve");
    expect(await edge.joined("c1", "direct:ann:bob")).toMatchObject({
      count: 2,
      members: [{ uid: "ann" }, { uid: "bob" }],
    });
    expect(await edge.join("c2", "direct:ann:bob")).toBe("permission_denied");
    expect(plane.fold.room(room("direct:ann:bob"))).toBeUndefined();
  });

  it("leaves no entry when a leave comes before the join was answered", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    const joined = edge.join("c1", "lobby");
    await edge.leave("c1", "lobby");
    await joined;
    expect(members(plane, "lobby")).toEqual([]);
    const key = controlKeys.entry(room("lobby"), uid("ann"), "run-1", "c1");
    expect((await broker.control.get(key))?.value).toBeUndefined();
  });
});

describe("putting out", () => {
  it("takes all of a user's connections out, who may come back", async () => {
    const broker = await openTestBroker();
    const [one, two] = [await openReplica(broker), await openReplica(broker)];
    const edge = await AttachedEdge.open(one, "run-1");
    edge.connect("c1", "ann");
    edge.connect("c2", "ann");
    await edge.join("c1", "lobby");
    await edge.join("c2", "lobby");
    await kick(two, "lobby", "ann", "");
    expect(members(two, "lobby")).toEqual([]);
    await eventually("both evictions", () => edge.all("evicted").length === 2);
    expect(edge.all("evicted")[0]).toMatchObject({ reason: "kicked", by: "service:ops" });
    // A join that was on its way when the edge heard of the eviction, which it answers by a leave.
    expect(await edge.join("c1", "lobby")).toBe("permission_denied");
    for (const clientId of ["c1", "c2"]) await edge.leave(clientId, "lobby");
    expect(await edge.join("c1", "lobby")).toBe("joined");
    await eventually("the member to be seen again", () => members(two, "lobby").length === 1);
  });

  it("refuses to kick who is not there, and words that are too long", async () => {
    const plane = await openReplica(await openTestBroker());
    const kickFor = (reason: string) => kick(plane, "lobby", "ann", reason);
    await expect(kickFor("x".repeat(256))).rejects.toMatchObject({ reason: "not_found" });
    await expect(kickFor("x".repeat(257))).rejects.toMatchObject({ reason: "invalid_argument" });
  });
});

describe("the list of members", () => {
  it("pages in the order of uids, whoever comes and goes between two pages", async () => {
    const plane = await openReplica(await openTestBroker());
    const edge = await AttachedEdge.open(plane, "run-1");
    const join = async (name: string): Promise<void> => {
      edge.connect(`c-${name}`, name);
      await edge.join(`c-${name}`, "lobby");
    };
    for (const name of ["b", "d", "f", "h"]) await join(name);
    const page = (pageToken: string) => plane.membership.page(room("lobby"), { pageSize: 2, pageToken });
    const first = page("");
    expect(first.members.map((member) => member.uid)).toEqual(["b", "d"]);
    await edge.leave("c-f", "lobby");
    await join("a");
    await join("g");
    const second = page(first.nextPageToken);
    expect(second.members.map((member) => member.uid)).toEqual(["g", "h"]);
    expect(second).toMatchObject({ nextPageToken: "", count: 5 });
  });

  it("refuses tokens of another list and negative sizes", async () => {
    const plane = await openReplica(await openTestBroker());
    const page = (id: string, pageToken: string, pageSize = 1) =>
      plane.membership.page(room(id), { pageSize, pageToken });
    const edge = await AttachedEdge.open(plane, "run-1");
    for (const name of ["a", "b"]) {
      edge.connect(name, name);
      await edge.join(name, "lobby");
    }
    const token = page("lobby", "").nextPageToken;
    expect(page("lobby", token).members).toMatchObject([{ uid: "b" }]);
    expect(() => page("other", token)).toThrow(expect.objectContaining({ reason: "invalid_argument" }));
    expect(() => page("lobby", "bm9uc2Vuc2U")).toThrow(expect.objectContaining({ reason: "invalid_argument" }));
    expect(() => page("lobby", "", -1)).toThrow(expect.objectContaining({ reason: "invalid_argument" }));
  });
});
