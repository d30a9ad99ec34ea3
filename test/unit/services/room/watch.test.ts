import { create } from "@bufbuild/protobuf";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Broker } from "../../../../broker/broker.ts";
import { EventSchema, PositionSchema } from "../../../../gen/baccarat/v1/event_pb.ts";
import { Metrics } from "../../../../services/metrics.ts";
import type { ControlPlane } from "../../../../services/room/control-plane.ts";
import { Watches, type WatchLimits, type WatchTarget } from "../../../../services/room/watch.ts";
import { SharedTail } from "../../../../services/room/watch-tail.ts";
import { eventually } from "../../../support/eventually.ts";
import { openReplica, openTestBroker, room, store } from "./replica.ts";
import { Watching } from "./watching.ts";

const LOBBY: WatchTarget = { room: room("lobby") };
const TABLES: WatchTarget = { pattern: "table.*" };

const texts = (count: number, prefix = "m") => Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`);

/** Watches with limits of their own, on a tail of their own. */
async function openWatches(broker: Broker, plane: ControlPlane, limits: Partial<WatchLimits> = {}, lookBack = 0) {
  const metrics = new Metrics();
  const tail = new SharedTail({ broker });
  const watches = new Watches({ broker, tail, rooms: plane.rooms, metrics, limits });
  await tail.start(lookBack);
  onTestFinished(() => {
    watches.close();
    tail.close();
  });
  const watch = (target: WatchTarget, after?: number, epoch = broker.epoch) => {
    const position = after === undefined ? undefined : create(PositionSchema, { epoch, seq: BigInt(after) });
    return new Watching((signal) => watches.watch({ target, after: position }, signal));
  };
  const metric = async (name: string) =>
    Number(new RegExp(`^baccarat_${name} (\\d+)$`, "m").exec((await metrics.render()).text)?.[1]);
  return { watches, tail, watch, metric };
}

async function open(limits: Partial<WatchLimits> = {}, retention: { maxMessages?: number } = {}) {
  const broker = await openTestBroker(retention);
  const plane = await openReplica(broker);
  return { broker, plane, ...(await openWatches(broker, plane, limits)) };
}

describe("a watch from now", () => {
  it("says where it begins, and hears everything after that", async () => {
    const { broker, watch } = await open();
    const [before = 0] = await store(broker, "lobby", ["before"]);
    const watching = watch(LOBBY);
    const first = await watching.next();
    expect(first).toMatchObject({ events: [], position: { epoch: broker.epoch, seq: BigInt(before) } });
    const seqs = await store(broker, "lobby", texts(3));
    await store(broker, "other", ["not this"]);
    await watching.count(3);
    expect(watching.events).toMatchObject([
      { roomId: "lobby", seq: BigInt(seqs[0] ?? 0), prevSeq: BigInt(before) },
      { roomId: "lobby", seq: BigInt(seqs[1] ?? 0), prevSeq: BigInt(seqs[0] ?? 0) },
      { roomId: "lobby", seq: BigInt(seqs[2] ?? 0), prevSeq: BigInt(seqs[1] ?? 0) },
    ]);
    expect(watching.events[0]?.body.value).toMatchObject({
      roomId: "lobby",
      messageId: `${broker.epoch}-${seqs[0]}`,
      seq: BigInt(seqs[0] ?? 0),
      message: "m1",
      uid: "writer",
    });
  });

  it("hears deletions and custom events as well", async () => {
    const { broker, watch } = await open();
    const watching = watch(LOBBY);
    await watching.next();
    const [seq = 0] = await store(broker, "lobby", ["oops"]);
    for (const body of [
      { case: "customEvent", value: { type: "table.result", dataJson: "{}", byUid: "service:dealer" } },
      { case: "deletion", value: { deletedSeq: BigInt(seq), byUid: "writer" } },
    ] as const) {
      await broker.publish(room("lobby"), create(EventSchema, { roomId: "lobby", body }));
    }
    await watching.count(3);
    expect(watching.events.map(({ body }) => body.case)).toEqual(["message", "customEvent", "deletion"]);
  });

  it("hears what came before each event, also from a tail that does not know it", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const vague = new Proxy(broker, {
      get(target, property) {
        if (property === "tail") {
          const tail: Broker["tail"] = (after, listener, onCaughtUp) =>
            target.tail(after, (stored) => listener({ ...stored, prevSeq: 0 }), onCaughtUp);
          return tail;
        }
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const { watch } = await openWatches(vague, plane);
    const [first, second] = [watch({ pattern: "*" }), watch(LOBBY)];
    await first.next();
    const seqs = await store(broker, "lobby", texts(1));
    await second.next();
    await store(broker, "other", texts(1));
    seqs.push(...(await store(broker, "lobby", texts(2))));
    await second.count(2);
    expect(second.events.map(({ prevSeq }) => Number(prevSeq))).toEqual(seqs.slice(0, 2));
    first.leave();
    second.leave();
    await store(broker, "lobby", texts(1));
    const third = watch(LOBBY);
    await third.next();
    await store(broker, "lobby", texts(1));
    await third.count(1);
    expect(third.events[0]?.prevSeq).toBe(0n);
  });

  it("is told from time to time how far it is, whatever room grows", async () => {
    const { broker, watch, tail } = await open({ heartbeatMs: 10 });
    const watching = watch(LOBBY);
    await watching.next();
    const [seq = 0] = await store(broker, "other", ["elsewhere"]);
    await watching.reaches(seq);
    expect(watching.position.seq).toBe(BigInt(tail.position));
    expect(watching.events).toEqual([]);
    expect(watching.responses.length).toBeGreaterThan(1);
  });
});

describe("a pattern", () => {
  it("stands for all rooms that begin like it, but for no conversation", async () => {
    const { broker, watch } = await open();
    const [tables, all, conversations, one] = [
      watch(TABLES),
      watch({ pattern: "*" }),
      watch({ pattern: "d*" }),
      watch({ room: room("direct:ann:bob") }),
    ];
    for (const watching of [tables, all, conversations, one]) await watching.next();
    for (const id of ["table.1", "direct:ann:bob", "tables", "direct:ann:zoe", "table.2", "demo"]) {
      await store(broker, id, [id]);
    }
    expect((await tables.count(2)).texts).toEqual(["table.1", "table.2"]);
    expect((await all.count(4)).texts).toEqual(["table.1", "tables", "table.2", "demo"]);
    expect((await conversations.count(1)).texts).toEqual(["demo"]);
    expect((await one.count(1)).texts).toEqual(["direct:ann:bob"]);
  });

  it("leaves conversations out of what was stored before, too", async () => {
    const { broker, watch } = await open();
    for (const id of ["direct:ann:bob", "lobby", "direct:ann:zoe", "demo"]) await store(broker, id, [id]);
    expect((await watch({ pattern: "*" }, 0).count(2)).texts).toEqual(["lobby", "demo"]);
    expect((await watch({ pattern: "d*" }, 0).count(1)).texts).toEqual(["demo"]);
    expect((await watch({ room: room("direct:ann:bob") }, 0).count(1)).texts).toEqual(["direct:ann:bob"]);
  });
});

describe.each<[string, WatchTarget, string]>([
  ["a room", LOBBY, "lobby"],
  ["a pattern", TABLES, "table.1"],
])("a resumed watch of %s", (_, target, id) => {
  it("gives what was missed, then what is new", async () => {
    const { broker, watch } = await open();
    const seqs = await store(broker, id, texts(5));
    await store(broker, "other", texts(3));
    const watching = watch(target, seqs[1]);
    expect(await watching.next()).toMatchObject({ events: [], position: { seq: BigInt(seqs[1] ?? 0) } });
    await watching.count(3);
    seqs.push(...(await store(broker, id, ["new"])));
    await watching.count(4);
    expect(watching.seqs).toEqual(seqs.slice(2));
  });

  it("reads more than a page of what was missed", async () => {
    const { broker, watch } = await open({}, { maxMessages: 5_000 });
    const seqs = await store(broker, id, texts(1_800));
    const watching = await watch(target, 0).count(1_800);
    expect(watching.seqs).toEqual(seqs);
    for (const { events } of watching.responses) expect(events.length).toBeLessThanOrEqual(500);
  });

  it("reads from the store as long as what is new would not fit in its queue", async () => {
    const { broker, watch, metric } = await open({ queue: { events: 20, bytes: 100_000 } }, { maxMessages: 5_000 });
    const seqs = await store(broker, id, texts(500));
    const watching = watch(target, 0);
    await watching.next();
    const later = store(broker, id, texts(500, "later"));
    await watching.count(500);
    seqs.push(...(await later));
    await watching.count(1_000);
    expect(watching.seqs).toEqual(seqs);
    expect(await metric("slow_watchers_total")).toBe(0);
  });

  it("goes on from any position up to the log's end, and from none beyond", async () => {
    const { broker, watch } = await open();
    await store(broker, id, texts(1));
    const [end = 0] = await store(broker, "other", texts(1));
    const atEnd = watch(target, end);
    await atEnd.next();
    const [fresh] = await store(broker, id, ["fresh"]);
    expect((await atEnd.count(1)).seqs).toEqual([fresh]);
    expect(await watch(target, end + 2).fails()).toMatchObject({ reason: "unknown_position" });
  });

  it("is refused in another epoch, and told this one", async () => {
    const { broker, watch } = await open();
    await store(broker, id, texts(3));
    const watching = watch(target, 1, "another");
    expect(await watching.fails()).toMatchObject({ reason: "epoch_changed", metadata: { epoch: broker.epoch } });
    expect(watching.responses).toEqual([]);
  });

  it("is refused from before what retention dropped, and not from there on", async () => {
    const { broker, watch } = await open({}, { maxMessages: 10 });
    const seqs = await store(broker, id, texts(25));
    const floor = seqs[14] ?? 0;
    const watching = watch(target, floor - 1);
    expect(await watching.fails()).toMatchObject({ reason: "too_old" });
    expect(watching.events).toEqual([]);
    expect((await watch(target, floor).count(10)).seqs).toEqual(seqs.slice(15));
  });

  it("works from before the process started, and waits for a tail that is hearing again what is older", async () => {
    const { broker, plane } = await open();
    const seqs = await store(broker, id, texts(900));
    const { watch } = await openWatches(broker, plane, {}, 10_000);
    const [first, middle, end] = [watch(target, 0), watch(target, seqs[449]), watch(target, seqs.at(-1))];
    const fresh = watch(target);
    await fresh.next();
    seqs.push(...(await store(broker, id, ["new"])));
    expect((await first.count(901)).seqs).toEqual(seqs);
    expect((await middle.count(451)).seqs).toEqual(seqs.slice(450));
    expect((await end.count(1)).seqs).toEqual(seqs.slice(900));
    expect((await fresh.count(1)).seqs).toEqual(seqs.slice(900));
  });
});

describe("a resumed watch of a pattern", () => {
  it("finds holes in rooms that turn up late, and does not mind those of other rooms", async () => {
    const { broker, watch } = await open({}, { maxMessages: 600 });
    const [start = 0] = await store(broker, "other", texts(1));
    await store(broker, "general", texts(2_000));
    expect((await watch(TABLES, start).reaches(2_001)).events).toEqual([]);
    await store(broker, "table.1", texts(700));
    // A page is full of these before table.1 turns up, of which nothing is left that came before them.
    await store(broker, "table.2", texts(500));
    await store(broker, "table.1", texts(600));
    expect(await watch(TABLES, start).fails()).toMatchObject({ reason: "too_old" });
  });

  it("is refused from before the log's beginning: rooms may be gone from there without a trace", async () => {
    const broker = await openTestBroker();
    const plane = await openReplica(broker);
    const seqs = await store(broker, "table.1", texts(5));
    const logStart = seqs[1] ?? 0;
    const aged = new Proxy(broker, {
      get(target, property) {
        const value: unknown = property === "logStart" ? async () => logStart : Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const { watch } = await openWatches(aged, plane);
    expect(await watch(TABLES, logStart - 1).fails()).toMatchObject({ reason: "too_old" });
    expect((await watch(TABLES, logStart).count(3)).seqs).toEqual(seqs.slice(2));
  });

  it("reads the whole log only so often at a time", async () => {
    const { broker, watch } = await open({ logReaders: 1 });
    await store(broker, "table.1", texts(3));
    const reading = watch(TABLES, 0);
    await reading.next();
    expect(await watch(TABLES, 0).fails()).toMatchObject({ reason: "unavailable", retryAfterMs: 1_000 });
    await reading.count(3);
    const [seq = 0] = await store(broker, "table.2", ["live now"]);
    await reading.reaches(seq);
    expect((await watch(TABLES, 0).count(4)).texts).toEqual(["m1", "m2", "m3", "live now"]);
  });
});

describe("a watcher that does not read", () => {
  it("is ended when its queue is full, and told from where it can go on", async () => {
    const { broker, watch, watches, metric } = await open({ queue: { events: 100, bytes: 1_000_000 } });
    const watching = watch(LOBBY);
    const quick = watch(LOBBY);
    await watching.next();
    await quick.next();
    const seqs = await store(broker, "lobby", texts(60));
    await watching.count(60);
    await quick.count(60);
    for (let round = 0; round < 4; round++) {
      seqs.push(...(await store(broker, "lobby", texts(60, `r${round}-`))));
      await quick.count(seqs.length);
    }
    const error = await watching.fails();
    expect(error).toMatchObject({
      reason: "slow_consumer",
      retryable: true,
      metadata: { epoch: broker.epoch, seq: String(watching.position.seq) },
    });
    expect(await metric("slow_watchers_total")).toBe(1);
    expect(watches.counts).toEqual({ open: 1, hearing: 1 });
    const again = await watch(LOBBY, Number(watching.position.seq)).count(seqs.length - watching.events.length);
    expect([...watching.seqs, ...again.seqs]).toEqual(seqs);
    expect(quick.seqs).toEqual(seqs);
  });

  it("is ended by the bytes that wait, too", async () => {
    const { broker, watch } = await open({ queue: { events: 1_000, bytes: 50_000 } });
    const watching = watch(LOBBY);
    await watching.next();
    await store(broker, "lobby", Array<string>(20).fill("x".repeat(4_000)));
    expect(await watching.fails()).toMatchObject({ reason: "slow_consumer" });
  });
});

describe("the end of a watch", () => {
  it.each<[string, WatchTarget, number | undefined]>([
    ["of a room from now", LOBBY, undefined],
    ["of a room from a position", LOBBY, 0],
    ["of a pattern from now", TABLES, undefined],
    ["of a pattern from a position", TABLES, 0],
  ])("%s leaves nothing behind", async (_, target, after) => {
    const { broker, watch, watches, metric } = await open();
    await store(broker, "lobby", texts(3));
    await store(broker, "table.1", texts(3));
    const watching = watch(target, after);
    await watching.next();
    if (after !== undefined) await watching.count(3);
    const waiting = watching.next();
    await eventually("it to hear", () => watches.counts.hearing === 1);
    expect(await metric("watchers")).toBe(1);
    watching.leave();
    expect(watches.counts).toEqual({ open: 0, hearing: 0 });
    expect(await waiting).toBeUndefined();
    expect(await metric("watchers")).toBe(0);
  });

  it("comes with unavailable when the replica stops", async () => {
    const { watch, watches } = await open();
    const watching = watch(LOBBY);
    await watching.next();
    const ended = watching.fails();
    watches.close();
    expect(await ended).toMatchObject({ reason: "unavailable" });
  });
});

describe("watching", () => {
  it("is for so many at a time", async () => {
    const { watch, watches } = await open({ watchers: 1 });
    const first = watch(LOBBY);
    await first.next();
    expect(await watch(LOBBY).fails()).toMatchObject({ reason: "unavailable", retryAfterMs: 1_000 });
    first.leave();
    await watch(LOBBY).next();
    expect(watches.counts.open).toBe(1);
  });

  it("needs a room that exists", async () => {
    const { plane, watch } = await open();
    await plane.rooms.delete(room("lobby"));
    expect(await watch(LOBBY).fails()).toMatchObject({ reason: "room_not_found" });
  });
});
