import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, it, onTestFinished } from "vitest";
import { Conversations } from "../../../edge/conversations.ts";
import { CursorWriter } from "../../../edge/cursor-writer.ts";
import type { DirectListener } from "../../../edge/direct-listener.ts";
import { type DirectUser, DirectUsers, NOTHING_MISSED, type UserPast } from "../../../edge/direct-users.ts";
import { FanOut } from "../../../edge/fan-out.ts";
import { Outbox } from "../../../edge/outbox.ts";
import { CursorRecordSchema } from "../../../gen/baccarat/v1/control_pb.ts";
import { controlKeys } from "../../../services/control-keys.ts";
import type { Uid } from "../../../services/ids.ts";
import { Metrics } from "../../../services/metrics.ts";
import { eventually } from "../../support/eventually.ts";
import { openTestBroker, quietLog, store, uid } from "../services/room/replica.ts";
import { connectPair } from "./socket-pair.ts";

const ANN = uid("ann");
const BOB = "direct:ann:bob";

/** Direct messages at an edge, over a real broker and real connections; digests come when the test says so. */
async function open() {
  const broker = await openTestBroker();
  const log = quietLog();
  const here = new Map<Uid, DirectUser>();
  const conversations = new Conversations({ broker, users: here, metrics: new Metrics(), log });
  const cursors = new CursorWriter({ control: broker.control, epoch: broker.epoch, log });
  const users = new DirectUsers({ users: here, conversations, cursors });
  const fanOut = new FanOut();
  onTestFinished(async () => {
    await users.close();
    conversations.close();
    fanOut.close();
  });
  await conversations.start();
  let clients = 0;
  /** A device of Ann's that answers pings; `waiting` for what it missed it hears nothing. */
  const device = async (past: UserPast | "waiting" = NOTHING_MISSED) => {
    const pair = await connectPair();
    const outbox = new Outbox({ ...pair, fanOut, maxBytes: 1024 * 1024, owner: { onOverflow: () => undefined } });
    const listener = users.enter(ANN, `c${++clients}`, outbox);
    pair.webSocket.on("pong", () => listener.ponged());
    if (past !== "waiting") users.begin(listener, past);
    const ping = () => {
      outbox.ping();
      listener.pinged();
    };
    const seqs = () => pair.received.map((text) => (JSON.parse(text) as { payload: { seq: number } }).payload.seq);
    return { ...pair, listener, ping, seqs };
  };
  const cursor = async () => {
    const value = (await broker.control.get(controlKeys.cursor(ANN)))?.value;
    if (value === undefined) return undefined;
    const { seq, ahead, clientId, ended } = fromBinary(CursorRecordSchema, value);
    return { seq: Number(seq), ahead: ahead.map((head) => [head.roomId, Number(head.seq)]), clientId, ended };
  };
  const leave = (listener: DirectListener, answered: boolean) => {
    users.leave(listener);
    users.ended(listener, answered);
  };
  const covers = (after: number, seq: number) =>
    conversations.digest({ $typeName: "baccarat.v1.Digest", heads: [], after: BigInt(after), seq: BigInt(seq) });
  return { broker, conversations, users, device, cursor, leave, covers };
}

const past = (seq: number, more: Partial<UserPast> = {}): UserPast => ({
  missed: { seq, events: [], truncated: () => undefined },
  cursorSeq: 0,
  talks: true,
  ...more,
});

describe("a user's cursor", () => {
  it("is written once the client has answered a ping behind the message, and not again until it moves", async () => {
    const { broker, users, device, cursor } = await open();
    const ann = await device();
    const [seq] = await store(broker, BOB, ["psst"], "bob");
    await eventually("the message", () => ann.seqs().length === 1);
    users.flush();
    expect(await cursor()).toBeUndefined();
    ann.ping();
    await eventually("the pong", () => ann.listener.confirmedCount === 1);
    users.flush();
    await eventually("the cursor", async () => (await cursor()) !== undefined);
    expect(await cursor()).toEqual({ seq: 0, ahead: [[BOB, seq]], clientId: "c1", ended: false });
    await broker.control.delete(controlKeys.cursor(ANN));
    users.flush();
    ann.ping();
    users.flush();
    expect(await cursor()).toBeUndefined();
  });

  it("is one number as far as digests tell that nothing lies before it", async () => {
    const { broker, device, cursor, leave, covers } = await open();
    const ann = await device();
    covers(0, 1);
    const seqs = await store(broker, BOB, ["one", "two", "three"], "bob");
    await eventually("the messages", () => ann.seqs().length === 3);
    covers(1, seqs[1] ?? 0);
    leave(ann.listener, true);
    await eventually("the cursor", async () => (await cursor())?.ended === true);
    expect(await cursor()).toEqual({ seq: seqs[1], ahead: [[BOB, seqs[2]]], clientId: "c1", ended: true });
  });

  it("is what was confirmed when the client did not say goodbye", async () => {
    const { broker, device, cursor, leave } = await open();
    const ann = await device(past(0));
    await store(broker, BOB, ["unread"], "bob");
    await eventually("the message", () => ann.seqs().length === 1);
    leave(ann.listener, false);
    await eventually("the cursor", async () => (await cursor()) !== undefined);
    expect(await cursor()).toEqual({ seq: 0, ahead: [], clientId: "c1", ended: true });
  });

  it("is not written for those who never had a message, unless it is old", async () => {
    const { device, cursor, leave, covers } = await open();
    const [quiet, old] = [await device(), await device()];
    leave(quiet.listener, true);
    expect(await cursor()).toBeUndefined();
    covers(0, 200_000);
    leave(old.listener, true);
    await eventually("the cursor", async () => (await cursor())?.seq === 200_000);
  });

  it("does not move before it is known what was missed", async () => {
    const { broker, users, device, cursor, leave } = await open();
    const ann = await device("waiting");
    users.begin(ann.listener, undefined);
    await store(broker, BOB, ["live"], "bob");
    await eventually("the message", () => ann.seqs().length === 1);
    ann.ping();
    leave(ann.listener, true);
    users.flush();
    expect(await cursor()).toBeUndefined();
  });
});

describe("two devices of one user", () => {
  it("both hear everything, and the cursor is what both have", async () => {
    const { broker, users, device, cursor } = await open();
    const [phone, desk] = [await device(), await device()];
    const seqs = await store(broker, BOB, ["one", "two"], "bob");
    await eventually("the messages", () => phone.seqs().length === 2 && desk.seqs().length === 2);
    expect([phone.seqs(), desk.seqs()]).toEqual([seqs, seqs]);
    phone.ping();
    await eventually("a pong", () => phone.listener.confirmedCount === 2);
    users.flush();
    expect(await cursor()).toBeUndefined();
    desk.ping();
    await eventually("the other pong", () => desk.listener.confirmedCount === 2);
    users.flush();
    await eventually("the cursor", async () => (await cursor()) !== undefined);
    expect(await cursor()).toMatchObject({ ahead: [[BOB, seqs[1]]] });
  });

  it("of which one was cut off keep the cursor where that one stood until it may be back", async () => {
    const { broker, users, device, cursor, leave } = await open();
    const [phone, desk] = [await device(past(0)), await device(past(0))];
    const [first] = await store(broker, BOB, ["read by both"], "bob");
    for (const one of [phone, desk]) {
      await eventually("the message", () => one.seqs().length === 1);
      one.ping();
      await eventually("the pong", () => one.listener.confirmedCount === 1);
    }
    const [, second] = [first, ...(await store(broker, BOB, ["not read by the phone"], "bob"))];
    leave(phone.listener, false);
    await eventually("the message", () => desk.seqs().length === 2);
    desk.ping();
    await eventually("the pong", () => desk.listener.confirmedCount === 2);
    users.flush();
    await eventually("the cursor", async () => (await cursor()) !== undefined);
    expect(await cursor()).toMatchObject({ ahead: [[BOB, first]] });
    const back = await device(past(second ?? 0));
    back.ping();
    await store(broker, BOB, ["read by both again"], "bob");
    for (const one of [back, desk]) {
      one.ping();
      await eventually("the pong", () => one.listener.confirmedCount === 3);
    }
    users.flush();
    await eventually("the cursor to go on", async () => (await cursor())?.ahead[0]?.[1] !== first);
  });
});

describe("a message whose live event was lost", () => {
  it("is read from the log when a digest names its conversation, the conversation's first one included", async () => {
    const { broker, conversations, device, covers } = await open();
    await store(broker, "lobby", ["something before"]);
    covers(0, 1);
    // Heard by nobody here, as a lost one is: its user comes after it.
    const [lost] = await store(broker, BOB, ["lost"], "bob");
    const ann = await device();
    const head = { $typeName: "baccarat.v1.RoomHead", roomId: BOB, seq: BigInt(lost ?? 0) } as const;
    conversations.digest({ $typeName: "baccarat.v1.Digest", heads: [head], after: 1n, seq: BigInt(lost ?? 0) });
    expect(conversations.position).toBe(1);
    await eventually("the lost message", () => ann.seqs().includes(lost ?? 0));
    await eventually("the position to go on", () => conversations.position === lost);
    expect(conversations.positionOf(ANN, 0)).toEqual({ seq: lost, ahead: new Map() });
  });

  it("is not waited for when its users are gone", async () => {
    const { broker, conversations, device, leave, covers } = await open();
    covers(0, 1);
    const [lost = 0] = await store(broker, BOB, ["lost"], "bob");
    const ann = await device();
    const head = { $typeName: "baccarat.v1.RoomHead", roomId: BOB, seq: BigInt(lost + 5) } as const;
    conversations.digest({ $typeName: "baccarat.v1.Digest", heads: [head], after: 1n, seq: BigInt(lost + 5) });
    expect(conversations.position).toBe(1);
    leave(ann.listener, true);
    covers(lost + 5, lost + 6);
    expect(conversations.position).toBe(lost + 6);
  });

  it("is read when the next one shows the hole", async () => {
    const { broker, device, covers } = await open();
    await store(broker, "lobby", ["something before"]);
    covers(0, 1);
    const lost = await store(broker, BOB, ["lost", "lost, too"], "bob");
    const ann = await device();
    const next = await store(broker, BOB, ["next"], "bob");
    await eventually("all of them", () => ann.seqs().length === 3);
    expect(ann.seqs()).toEqual([...lost, ...next]);
  });
});
