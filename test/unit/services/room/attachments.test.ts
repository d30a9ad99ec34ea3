import { describe, expect, it } from "vitest";
import type { Digest } from "../../../../gen/baccarat/v1/edge_service_pb.ts";
import { controlKeys } from "../../../../services/control-keys.ts";
import { eventually } from "../../../support/eventually.ts";
import { AttachedEdge, connectCommand, outcome } from "./attached-edge.ts";
import { FlakyBroker } from "./flaky-broker.ts";
import { kick, members, openReplica, openTestBroker, room, roomOf, store, uid } from "./replica.ts";

const hold = (clientId: string, roomId: string) => ({ case: "hold", value: { clientId, roomId } }) as const;

/** One digest of each attachment names none: it only says from where on the next ones follow. */
const namesRooms = ({ heads }: Digest): boolean => heads.length > 0;

describe("attaching", () => {
  it("gives the state of hosted rooms, then says that the edge is in step, then answers", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    await plane.rooms.create(room("lobby"), roomOf({ slowModeMs: 100 }));
    const first = await AttachedEdge.open(plane, "run-1");
    first.connect("c1", "ann");
    await first.join("c1", "lobby");
    await first.cut();
    const again = new AttachedEdge(plane, "run-1");
    again.say(connectCommand("c1", "ann"), hold("c1", "lobby"));
    await again.sync();
    const told = again.heard.map((update) => update.case ?? "").filter((kind) => !["digest", "revoked"].includes(kind));
    expect(told).toEqual(["roomSnapshot", "attached", "reply"]);
    expect(again.all("roomSnapshot")).toMatchObject([
      { policy: { roomId: "lobby", slowModeMs: 100 }, count: 1, members: [{ uid: "ann" }] },
    ]);
    expect(again.all("attached")).toMatchObject([{ epoch: broker.epoch }]);
  });

  it("changes nothing for anybody when an edge moves to another replica", async () => {
    const broker = await openTestBroker();
    const [one, two] = [await openReplica(broker), await openReplica(broker)];
    const witness = await AttachedEdge.open(two, "run-2");
    const edge = await AttachedEdge.open(one, "run-1");
    witness.connect("c9", "zoe");
    edge.connect("c1", "ann");
    await edge.join("c1", "lobby");
    await witness.join("c9", "lobby");
    const before = witness.heard.length;
    await edge.cut();
    const moved = new AttachedEdge(two, "run-1");
    moved.say(connectCommand("c1", "ann"), hold("c1", "lobby"));
    await moved.sync();
    expect(witness.heard.slice(before)).toEqual([]);
    expect(await moved.joined("c1", "lobby")).toMatchObject({ count: 2 });
    expect(witness.heard.slice(before)).toEqual([]);
  });

  it("deletes what the control log has and the edge does not", async () => {
    const plane = await openReplica(await openTestBroker());
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("kept", "ann");
    edge.connect("gone", "bob");
    await edge.join("kept", "held");
    await edge.join("kept", "left");
    await edge.join("gone", "held");
    await edge.cut();
    const again = new AttachedEdge(plane, "run-1");
    again.say(connectCommand("kept", "ann"), hold("kept", "held"));
    await again.sync();
    expect(members(plane, "held")).toEqual(["ann"]);
    expect(members(plane, "left")).toEqual([]);
    expect(plane.clients.list({ pageSize: 0, pageToken: "" }).clients).toMatchObject([
      { clientId: "kept", roomIds: ["held"] },
    ]);
  });

  it("takes up again what the control log lost, unless it may not", async () => {
    const plane = await openReplica(await openTestBroker());
    await plane.rooms.create(room("vip"), roomOf({ private: true }));
    await plane.rooms.delete(room("gone"));
    const edge = new AttachedEdge(plane, "run-1");
    edge.say(connectCommand("c1", "ann"), hold("c1", "lobby"), hold("c1", "vip"), hold("c1", "gone"));
    await edge.sync();
    expect(members(plane, "lobby")).toEqual(["ann"]);
    expect(edge.all("evicted")).toMatchObject([
      { clientId: "c1", roomId: "vip", reason: "permission_denied" },
      { clientId: "c1", roomId: "gone", reason: "room_deleted" },
    ]);
  });

  it("tells decisions the edge missed before anything else, and does not take them back", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const edge = await AttachedEdge.open(plane, "run-1");
    for (const name of ["ann", "bob", "cyd"]) {
      edge.connect(`c-${name}`, name);
      await edge.join(`c-${name}`, "lobby");
    }
    await edge.cut();
    await kick(plane, "lobby", "ann", "spam");
    expect(await plane.clients.disconnect({ uid: uid("bob") }, "")).toBe(1);
    const again = new AttachedEdge(plane, "run-1");
    for (const name of ["ann", "bob", "cyd"]) {
      again.say(connectCommand(`c-${name}`, name), hold(`c-${name}`, "lobby"));
    }
    await again.sync();
    expect(again.kinds().slice(0, 2).toSorted()).toEqual(["disconnected", "evicted"]);
    expect(again.all("evicted")).toMatchObject([{ clientId: "c-ann", reason: "spam", by: "service:ops" }]);
    expect(again.all("disconnected")).toMatchObject([
      { clientId: "c-bob", closeCode: 4503, reason: "disconnected_by_admin" },
    ]);
    expect(again.all("roomSnapshot")).toMatchObject([{ count: 2 }]);
    expect(outcome(await again.ask({ case: "join", value: { clientId: "c-bob", roomId: "other" } }))).toBe(
      "permission_denied",
    );
    await again.ask({ case: "disconnect", value: { clientId: "c-bob", reason: "disconnected" } });
    await again.leave("c-ann", "lobby");
    expect(members(plane, "lobby")).toEqual(["cyd"]);
    expect(plane.fold.room(room("lobby"))?.entries.size).toBe(1);
  });

  it("ends the older of two streams of one run, at whichever replica it is", async () => {
    const broker = await openTestBroker();
    const [one, two] = [await openReplica(broker), await openReplica(broker)];
    const first = await AttachedEdge.open(one, "run-1");
    const second = await AttachedEdge.open(two, "run-1");
    expect(await first.ended).toMatchObject({ reason: "unavailable" });
    await AttachedEdge.open(two, "run-1");
    expect(await second.ended).toMatchObject({ reason: "unavailable" });
  });

  it("deletes an entry that an earlier stream's join left behind late", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    await edge.join("c1", "lobby");
    const key = (id: string) => controlKeys.entry(room(id), uid("ann"), "run-1", "c1");
    const entry = await broker.control.get(key("lobby"));
    await broker.control.put(key("late"), entry?.value ?? new Uint8Array());
    await eventually("the late entry to be deleted", () => plane.fold.room(room("late")) === undefined);
    expect(members(plane, "lobby")).toEqual(["ann"]);
  });

  it("takes a client out at the edge whose entry an earlier stream's leave deleted late", async () => {
    const broker = await openTestBroker();
    const edge = await AttachedEdge.open(await openReplica(broker), "run-1");
    edge.connect("c1", "ann");
    await edge.join("c1", "lobby");
    await broker.control.delete(controlKeys.entry(room("lobby"), uid("ann"), "run-1", "c1"));
    expect(await edge.hears("evicted")).toMatchObject({ clientId: "c1", roomId: "lobby", reason: "disconnected" });
  });

  it("is refused to a run that was given up, and ends one that is", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const edge = await AttachedEdge.open(plane, "run-1");
    await broker.control.create(controlKeys.fence("run-1"), new Uint8Array());
    expect(await edge.ended).toBeUndefined();
    expect(edge.kinds()).toEqual(["attached", "fenced"]);
    const again = new AttachedEdge(plane, "run-1");
    expect(await again.ended).toBeUndefined();
    expect(again.kinds()).toEqual(["fenced"]);
  });

  it("needs a valid hello", async () => {
    const plane = await openReplica(await openTestBroker());
    const silent = new AttachedEdge(plane, "run-1", { hello: false });
    silent.connect("c1", "ann");
    expect(await silent.ended).toMatchObject({ reason: "invalid_argument" });
    const nameless = new AttachedEdge(plane, "");
    expect(await nameless.ended).toMatchObject({ reason: "invalid_argument" });
  });
});

describe("an attached edge", () => {
  it("is answered each bad command without losing the stream", async () => {
    const plane = await openReplica(await openTestBroker());
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    const cases = [
      [{ case: "join", value: { clientId: "c1", roomId: "no room" } }, "invalid_argument"],
      [{ case: "join", value: { clientId: "nobody", roomId: "lobby" } }, "invalid_argument"],
      [
        { case: "join", value: { clientId: "c1", roomId: "lobby", wantEvents: true, history: 301 } },
        "invalid_argument",
      ],
      [{ case: "readMembers", value: { clientId: "c1", roomId: "lobby" } }, "not_a_member"],
      [{ case: "readEvents", value: { clientId: "c1", roomId: "lobby", limit: 10 } }, "not_a_member"],
      [{ case: "delete", value: { clientId: "c1", roomId: "lobby", seq: 1n } }, "not_a_member"],
      [{ case: "openConversation", value: { clientId: "c1", toUid: "ann" } }, "invalid_argument"],
      [{ case: "openConversation", value: { clientId: "c1", toUid: "no uid" } }, "invalid_argument"],
      [{ case: undefined }, "invalid_argument"],
      [{ case: "leave", value: { clientId: "nobody", roomId: "lobby" } }, "done"],
      [{ case: "disconnect", value: { clientId: "nobody" } }, "done"],
    ] as const;
    for (const [command, expected] of cases)
      expect([command, outcome(await edge.ask(command))]).toEqual([command, expected]);
    expect(members(plane, "lobby")).toEqual([]);
    expect(await edge.join("c1", "lobby")).toBe("joined");
  });

  it("reads members and events of rooms its client is in", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    await edge.join("c1", "lobby");
    const seqs = await store(broker, "lobby", ["one", "two", "three"]);
    const found = await edge.ask({ case: "readMembers", value: { clientId: "c1", roomId: "lobby", pageSize: 10 } });
    expect(found.value).toMatchObject({ members: [{ uid: "ann" }], count: 1, nextPageToken: "" });
    const read = await edge.ask({ case: "readEvents", value: { clientId: "c1", roomId: "lobby", limit: 2 } });
    expect(read.value).toMatchObject({
      hasMore: true,
      events: [{ seq: BigInt(seqs[1] ?? 0) }, { seq: BigInt(seqs[2] ?? 0) }],
    });
    const forward = { clientId: "c1", roomId: "lobby", limit: 300, forward: true, afterSeq: BigInt(seqs[0] ?? 0) };
    expect((await edge.ask({ case: "readEvents", value: forward })).value).toMatchObject({
      hasMore: false,
      events: [{}, {}],
    });
  });

  it("hears notices, and where the logs of its rooms end", async () => {
    const { broker } = new FlakyBroker(await openTestBroker());
    const [one, two] = [await openReplica(broker), await openReplica(broker)];
    const edge = await AttachedEdge.open(one, "run-1");
    edge.connect("c1", "ann");
    await edge.join("c1", "lobby");
    await two.notices.broadcast("maintenance at noon");
    expect(await edge.hears("notice")).toMatchObject({ message: "maintenance at noon" });
    await expect(two.notices.broadcast("")).rejects.toMatchObject({ reason: "invalid_argument" });
    const [seq] = await store(broker, "lobby", ["hello"]);
    await store(broker, "elsewhere", ["hello"]);
    const [direct] = await store(broker, "direct:ann:bob", ["psst"]);
    await store(broker, "direct:bob:cyd", ["psst"]);
    await eventually("the tail to be read", () => one.digests.head(room("lobby")) === seq);
    one.digests.flush();
    expect(await edge.hears("digest", namesRooms)).toMatchObject({
      heads: [
        { roomId: "lobby", seq: BigInt(seq ?? 0) },
        { roomId: "direct:ann:bob", seq: BigInt(direct ?? 0) },
      ],
    });
  });

  it("is told of every stretch of the log, so that it knows when it has heard all", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const edge = await AttachedEdge.open(plane, "run-1");
    const first = await edge.hears("digest");
    expect(first).toMatchObject({ after: 0n, seq: 0n, heads: [] });
    let told = 0n;
    for (const from of ["bob", "cyd"]) {
      const [seq = 0] = await store(broker, `direct:ann:${from}`, ["nobody here"], from);
      await eventually("the digest", () => {
        plane.digests.flush();
        return edge.all("digest").some((digest) => digest.seq === BigInt(seq));
      });
      expect(edge.all("digest").at(-1)).toMatchObject({ after: told, seq: BigInt(seq), heads: [] });
      told = BigInt(seq);
    }
  });

  it("is told the heads of its rooms when it attaches again", async () => {
    const { broker } = new FlakyBroker(await openTestBroker());
    const plane = await openReplica(broker);
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    await edge.join("c1", "lobby");
    await edge.cut();
    const [seq] = await store(broker, "lobby", ["while away"]);
    await eventually("the tail to be read", () => plane.digests.head(room("lobby")) === seq);
    const again = new AttachedEdge(plane, "run-1");
    again.say(connectCommand("c1", "ann"), hold("c1", "lobby"));
    await again.sync();
    expect(await again.hears("digest", namesRooms)).toMatchObject({
      heads: [{ roomId: "lobby", seq: BigInt(seq ?? 0) }],
    });
  });

  it("carries out what one client says in order, however it is sent", async () => {
    const plane = await openReplica(await openTestBroker());
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    for (let round = 0; round < 20; round++) {
      edge.say(
        { case: "join", value: { clientId: "c1", roomId: "lobby" } },
        { case: "leave", value: { clientId: "c1", roomId: "lobby", reason: "left" } },
      );
    }
    expect(await edge.join("c1", "lobby")).toBe("joined");
    expect(members(plane, "lobby")).toEqual(["ann"]);
    await edge.ask({ case: "disconnect", value: { clientId: "c1", reason: "left" } });
    expect(members(plane, "lobby")).toEqual([]);
    expect(plane.edges.stats()).toMatchObject({ clients: 0, users: 0, rooms: 0, members: 0 });
  });
});
