import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Broker } from "../../../../broker/broker.ts";
import { EventSchema } from "../../../../gen/baccarat/v1/event_pb.ts";
import { directRoom } from "../../../../services/ids.ts";
import { type ConversationLimits, Conversations } from "../../../../services/room/conversations.ts";
import { SharedTail } from "../../../../services/room/watch-tail.ts";
import { openTestBroker, store, uid } from "./replica.ts";

const [ANN, BOB, CYD] = [uid("ann"), uid("bob"), uid("cyd")];

/** An index over a log. */
async function open(broker: Broker, limits: Partial<ConversationLimits> = {}) {
  const tail = new SharedTail({ broker });
  const conversations = new Conversations({ broker, tail, limits });
  onTestFinished(() => {
    conversations.close();
    tail.close();
  });
  await tail.start(10);
  await conversations.start();
  return conversations;
}

/** Stores a direct message; returns its position. */
async function tell(broker: Broker, from: string, to: string, sentMs = 1_000): Promise<number> {
  const room = directRoom(uid(from), uid(to));
  if (room === undefined) throw new Error("nobody writes to oneself");
  const value = { uid: from, username: `${from} at ${sentMs}`, message: "psst", toUid: to };
  const body = { case: "message", value } as const;
  return (await broker.publish(room, create(EventSchema, { roomId: room, sent: timestampFromMs(sentMs), body }))).seq;
}

describe("conversations", () => {
  it("are those of each user, latest first, with where they end", async () => {
    const broker = await openTestBroker();
    await tell(broker, "ann", "bob");
    await tell(broker, "cyd", "ann");
    const conversations = await open(broker);
    const latest = await tell(broker, "bob", "ann", 5_000);
    await store(broker, "lobby", ["not direct"]);
    await conversations.current();
    expect(conversations.of(ANN).map(({ other }) => other)).toEqual(["bob", "cyd"]);
    expect(conversations.of(ANN)[0]).toEqual({ room: "direct:ann:bob", other: "bob", seq: latest, sentMs: 5_000 });
    expect(conversations.of(BOB).map(({ other }) => other)).toEqual(["ann"]);
    expect(conversations.of(uid("nobody"))).toEqual([]);
    expect(conversations.nameOf(BOB)).toBe("bob at 5000");
    expect(conversations.nameOf(uid("nobody"))).toBeUndefined();
  });

  it("miss nothing of what comes while the past is read, and keep it in order", async () => {
    const broker = await openTestBroker();
    for (let index = 0; index < 600; index++) await tell(broker, `user-${index % 300}`, "ann", index);
    const tail = new SharedTail({ broker });
    const conversations = new Conversations({ broker, tail });
    onTestFinished(() => {
      conversations.close();
      tail.close();
    });
    await tail.start(10);
    const starting = conversations.start();
    const latest = await tell(broker, "user-7", "ann");
    expect(conversations.knowsAll(ANN)).toBe(false);
    await starting;
    await conversations.current();
    expect(conversations.of(ANN)).toHaveLength(300);
    expect(conversations.of(ANN)[0]).toMatchObject({ other: "user-7", seq: latest });
    const seqs = conversations.of(ANN).map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.toSorted((a, b) => b - a));
  });

  it("end with a deletion, too", async () => {
    const broker = await openTestBroker();
    const conversations = await open(broker);
    const room = directRoom(ANN, BOB);
    if (room === undefined) throw new Error("no room");
    const deletedSeq = BigInt(await tell(broker, "ann", "bob"));
    const body = { case: "deletion", value: { deletedSeq, byUid: "ann" } } as const;
    const { seq } = await broker.publish(room, create(EventSchema, { roomId: room, body }));
    await conversations.current();
    expect(conversations.of(BOB)).toMatchObject([{ seq }]);
  });

  it("know everything once the log was read from its beginning, and say so when not", async () => {
    const broker = await openTestBroker();
    const first = await tell(broker, "ann", "bob");
    await tell(broker, "ann", "cyd");
    const all = await open(broker);
    await all.current();
    expect([all.knowsAll(ANN), all.since(ANN)]).toEqual([true, 0]);
    const some = await open(broker, { lookBack: 1 });
    await some.current();
    expect([some.knowsAll(ANN), some.since(ANN)]).toEqual([false, first]);
    expect(some.of(ANN).map(({ other }) => other)).toEqual(["cyd"]);
  });

  it("of one user are bounded: the oldest is forgotten, and that is known", async () => {
    const broker = await openTestBroker();
    const conversations = await open(broker, { perUser: 2 });
    const oldest = await tell(broker, "ann", "bob");
    for (const other of ["cyd", "dan"]) await tell(broker, "ann", other);
    await conversations.current();
    expect(conversations.of(ANN).map(({ other }) => other)).toEqual(["dan", "cyd"]);
    expect([conversations.since(ANN), conversations.since(BOB)]).toEqual([oldest, 0]);
    expect(conversations.knows("direct:ann:bob" as never)).toBe(true);
  });

  it("of all users are bounded: who was silent for longest is forgotten", async () => {
    const broker = await openTestBroker();
    const conversations = await open(broker, { total: 4 });
    const first = await tell(broker, "ann", "bob");
    await tell(broker, "cyd", "dan");
    await tell(broker, "eve", "fay");
    await conversations.current();
    expect(conversations.size).toBe(4);
    expect([conversations.of(ANN), conversations.of(BOB)]).toEqual([[], []]);
    expect(conversations.of(CYD)).toHaveLength(1);
    expect(conversations.since(CYD)).toBe(first);
    expect(conversations.knows("direct:ann:bob" as never)).toBe(false);
  });

  it("of services are those of the users they write to", async () => {
    const broker = await openTestBroker();
    const conversations = await open(broker);
    await tell(broker, "service|dealer", "ann");
    await conversations.current();
    expect(conversations.of(ANN).map(({ other }) => other)).toEqual(["service|dealer"]);
    expect(conversations.of(uid("service|dealer"))).toEqual([]);
  });

  it("that grew after a position are told, each once", async () => {
    const broker = await openTestBroker();
    const conversations = await open(broker);
    const before = await tell(broker, "ann", "cyd");
    const grown = await tell(broker, "ann", "bob");
    await conversations.current();
    expect(await conversations.grown([ANN, BOB], before)).toEqual({
      heads: [{ room: "direct:ann:bob", seq: grown }],
      seq: grown,
    });
  });
});
