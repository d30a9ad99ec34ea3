import type { FieldMask } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import type { Scope, Service, User } from "../../../../services/auth.ts";
import type { ControlPlane } from "../../../../services/room/control-plane.ts";
import type { SendRequest } from "../../../../services/room/messages.ts";
import { AttachedEdge } from "./attached-edge.ts";
import { moderator, openReplica, openTestBroker, room, roomOf, store, uid } from "./replica.ts";

const LOBBY = room("lobby");

function service(...scopes: Scope[]): Service {
  return { kind: "service", name: "dealer", scopes: new Set(scopes) };
}

function send(plane: ControlPlane, request: Partial<SendRequest>, by = service("admin")) {
  return plane.messages.send(by, {
    room: undefined,
    toUid: undefined,
    message: "hello",
    imageUrl: "",
    from: "",
    idempotencyKey: "",
    uid: undefined,
    username: "",
    ...request,
  });
}

describe("sending", () => {
  it("stores a service's message under its name", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const { message, duplicate } = await send(plane, { room: LOBBY, from: "Table 7" }, service("publish"));
    expect(message).toMatchObject({
      roomId: "lobby",
      uid: "service:dealer",
      username: "dealer",
      from: "Table 7",
      message: "hello",
      messageId: `${broker.epoch}-${message.seq}`,
    });
    expect(message.sent).toBeDefined();
    expect(duplicate).toBe(false);
    await expect(send(plane, { room: LOBBY }, service("read"))).rejects.toMatchObject({ reason: "permission_denied" });
  });

  it("answers a retry with what was stored first", async () => {
    const plane = await openReplica(await openTestBroker());
    const request = { room: LOBBY, idempotencyKey: "k1" };
    const first = await send(plane, request);
    const again = await send(plane, request);
    expect(again.duplicate).toBe(true);
    expect(again.message).toMatchObject({ seq: first.message.seq, sent: first.message.sent });
    expect((await send(plane, { ...request, message: "other" })).duplicate).toBe(false);
  });

  it("speaks as a user for admins only, with what is known of the user", async () => {
    const plane = await openReplica(await openTestBroker());
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    await edge.join("c1", "lobby");
    const request = { room: LOBBY, uid: uid("ann") };
    expect((await send(plane, request)).message).toMatchObject({ uid: "ann", username: "name of ann" });
    expect((await send(plane, { ...request, username: "Ann" })).message).toMatchObject({ username: "Ann" });
    expect((await send(plane, { ...request, uid: uid("new") })).message).toMatchObject({ username: "new" });
    await expect(send(plane, request, service("publish"))).rejects.toMatchObject({ reason: "permission_denied" });
    await expect(send(plane, { ...request, username: "x".repeat(65) })).rejects.toMatchObject({
      reason: "invalid_argument",
    });
  });

  it("holds whoever it speaks for to the room's rules, but not the service itself", async () => {
    const plane = await openReplica(await openTestBroker());
    const { mute, unmute, ban, unban } = moderator(plane, "lobby");
    const request = { room: LOBBY, uid: uid("ann") };
    await mute("ann");
    await expect(send(plane, request)).rejects.toMatchObject({ reason: "muted", retryAfterMs: 0 });
    await unmute("ann");
    await ban("ann", 60_000);
    await expect(send(plane, request)).rejects.toMatchObject({
      reason: "banned",
      retryAfterMs: expect.closeTo(60_000, -4),
    });
    await unban("ann");
    await plane.rooms.update(LOBBY, roomOf({ frozen: true }), undefined);
    await expect(send(plane, request)).rejects.toMatchObject({ reason: "permission_denied" });
    await plane.rooms.update(LOBBY, roomOf({ slowModeMs: 60_000 }), { paths: ["frozen", "slow_mode_ms"] } as FieldMask);
    await send(plane, request);
    await expect(send(plane, request)).rejects.toMatchObject({
      reason: "rate_limited",
      retryAfterMs: expect.any(Number),
    });
    await send(plane, { ...request, uid: uid("bob") });
    for (let twice = 0; twice < 2; twice++) await send(plane, { room: LOBBY });
  });

  it("writes to users who have existed", async () => {
    const plane = await openReplica(await openTestBroker());
    const edge = await AttachedEdge.open(plane, "run-1");
    edge.connect("c1", "ann");
    const { message } = await send(plane, { toUid: uid("ann") });
    expect(message).toMatchObject({ roomId: "direct:ann:service|dealer", uid: "service:dealer", toUid: "ann" });
    const named = await send(plane, { toUid: uid("ann"), uid: uid("bob") });
    expect(named.message).toMatchObject({ roomId: "direct:ann:bob", uid: "bob" });
    for (const request of [{ toUid: uid("ann"), uid: uid("ann") }, { toUid: uid("nobody") }]) {
      await expect(send(plane, request)).rejects.toMatchObject({
        reason: "invalid_argument",
        metadata: { field: "to_uid" },
      });
    }
    expect(await plane.direct.recipients.conversation(uid("ann"), uid("service|dealer"))).toBe(
      "direct:ann:service|dealer",
    );
  });

  it("finds users that another replica registered, in memory or not", async () => {
    const broker = await openTestBroker();
    const [one, two] = [await openReplica(broker), await openReplica(broker)];
    const edge = await AttachedEdge.open(one, "run-1");
    const waiting = two.direct.recipients.conversation(uid("bob"), uid("ann"));
    edge.connect("c1", "ann");
    expect(await waiting).toBe("direct:ann:bob");
  });

  it("needs one place to send to, which exists", async () => {
    const plane = await openReplica(await openTestBroker(), { roomCreation: "listed" });
    const invalid = { reason: "invalid_argument" };
    await expect(send(plane, {})).rejects.toMatchObject(invalid);
    await expect(send(plane, { room: LOBBY, toUid: uid("ann") })).rejects.toMatchObject(invalid);
    await expect(send(plane, { room: room("direct:ann:bob") })).rejects.toMatchObject(invalid);
    await expect(send(plane, { room: LOBBY })).rejects.toMatchObject({ reason: "room_not_found" });
  });

  it("publishes events of a service's own types", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const request = {
      room: LOBBY,
      type: "table.result",
      dataJson: '{"winner":"banker"}',
      snapshotKey: "",
      idempotencyKey: "k",
    };
    const first = await plane.messages.publishEvent(service("publish"), request);
    expect(first.event).toMatchObject({
      roomId: "lobby",
      body: { case: "customEvent", value: { byUid: "service:dealer" } },
    });
    const again = await plane.messages.publishEvent(service("publish"), request);
    expect(again).toMatchObject({ duplicate: true, event: { seq: first.event.seq, sent: first.event.sent } });
    for (const wrong of [{ type: "new_message" }, { room: room("direct:a:b") }]) {
      await expect(plane.messages.publishEvent(service("publish"), { ...request, ...wrong })).rejects.toMatchObject({
        reason: "invalid_argument",
      });
    }
  });
});

describe("deleting", () => {
  const user = (name: string, ...roles: string[]): User => ({
    kind: "user",
    uid: uid(name),
    username: name,
    avatarId: "",
    guest: false,
    roles,
    rooms: undefined,
  });
  const access = { room: LOBBY, member: true };

  it("wipes one's own message, and is the same however often it is done", async () => {
    const broker = await openTestBroker();
    const { messages, history } = await openReplica(broker);
    const [seq = 0] = await store(broker, "lobby", ["oops"], "ann");
    const first = await messages.delete(user("ann"), access, BigInt(seq));
    expect(first.body).toMatchObject({ case: "deletion", value: { deletedSeq: BigInt(seq), byUid: "ann" } });
    for (let round = 0; round < 3; round++) {
      expect(await messages.delete(user("ann"), access, BigInt(seq))).toMatchObject({ seq: first.seq });
    }
    expect(await messages.delete(service("admin"), access, BigInt(seq))).toMatchObject({ seq: first.seq });
    const log = await history.listEvents({ room: LOBBY, pageSize: 0, pageToken: "", beforeSeq: 0n, afterSeq: 0n });
    expect(log.items.map((event) => event.seq)).toEqual([first.seq]);
  });

  it("stores one deletion when several ask at once", async () => {
    const broker = await openTestBroker();
    const planes = [await openReplica(broker), await openReplica(broker)];
    const [seq = 0] = await store(broker, "lobby", ["oops"], "ann");
    const deletions = await Promise.all(
      planes.flatMap(({ messages }) =>
        ["ann", "mod"].map((name) => messages.delete(user(name, "moderator"), access, BigInt(seq))),
      ),
    );
    expect(new Set(deletions.map((deletion) => deletion.seq)).size).toBe(1);
    expect(new Set(deletions.map((deletion) => JSON.stringify(deletion.body.value, bigints))).size).toBe(1);
  });

  it("is for the author, moderators of the room and services with scope admin", async () => {
    const broker = await openTestBroker();
    const { messages } = await openReplica(broker);
    const [one = 0, two = 0] = await store(broker, "lobby", ["one", "two"], "ann");
    const denied = { reason: "permission_denied" };
    await expect(messages.delete(user("bob"), access, BigInt(one))).rejects.toMatchObject(denied);
    await expect(messages.delete(user("bob", "moderator:other"), access, BigInt(one))).rejects.toMatchObject(denied);
    await expect(messages.delete(service("publish"), access, BigInt(one))).rejects.toMatchObject(denied);
    await expect(messages.delete(user("ann"), { room: LOBBY, member: false }, BigInt(one))).rejects.toMatchObject({
      reason: "not_a_member",
    });
    await messages.delete(user("bob", "moderator:lobby"), access, BigInt(one));
    await messages.delete(service("admin"), access, BigInt(two));
    await expect(messages.delete(user("cyd"), access, BigInt(one))).rejects.toMatchObject(denied);
  });

  it("finds nothing to delete where there is no message of that room", async () => {
    const broker = await openTestBroker();
    const { messages } = await openReplica(broker);
    const [elsewhere = 0] = await store(broker, "other", ["one"], "ann");
    const custom = await messages.publishEvent(service("publish"), {
      room: LOBBY,
      type: "table.result",
      dataJson: "1",
      snapshotKey: "",
      idempotencyKey: "",
    });
    const gone = { reason: "not_found" };
    await expect(messages.delete(user("ann"), access, BigInt(elsewhere))).rejects.toMatchObject(gone);
    await expect(messages.delete(user("ann"), access, 999_999n)).rejects.toMatchObject(gone);
    await expect(messages.delete(user("ann"), access, 0n)).rejects.toMatchObject(gone);
    await expect(messages.delete(user("ann"), access, custom.event.seq)).rejects.toMatchObject({
      reason: "invalid_argument",
    });
  });

  it("still knows a deletion behind many later events", async () => {
    const broker = await openTestBroker();
    const { messages } = await openReplica(broker);
    const [seq = 0] = await store(broker, "lobby", ["oops"], "ann");
    const first = await messages.delete(user("ann"), access, BigInt(seq));
    await store(
      broker,
      "lobby",
      Array.from({ length: 700 }, (_, index) => `later ${index}`),
    );
    expect(await messages.delete(user("ann"), access, BigInt(seq))).toMatchObject({ seq: first.seq });
  });
});

const bigints = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
