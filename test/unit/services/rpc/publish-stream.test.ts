import { create, toBinary } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { array, asyncProperty, assert as check, constantFrom, integer, record } from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserRecordSchema } from "../../../../gen/baccarat/v1/control_pb.ts";
import { ErrorInfoSchema, ErrorReason } from "../../../../gen/baccarat/v1/errors_pb.ts";
import { RoomService } from "../../../../gen/baccarat/v1/room_service_pb.ts";
import { controlKeys } from "../../../../services/control-keys.ts";
import { createLog } from "../../../../services/log.ts";
import { MAX_ITEMS, PublishStreams } from "../../../../services/room/publish-stream.ts";
import { eventually, PATIENCE_MS, within } from "../../../support/eventually.ts";
import { room, uid } from "../room/replica.ts";
import { ack, type Content, failure, Publishing, says, writes } from "./publishing.ts";
import { type RoomFixture, startRoom } from "./room-fixture.ts";
import { bearer, startRpc, TOKENS } from "./rpc-fixture.ts";

let rpc: RoomFixture;
beforeAll(async () => {
  rpc = await startRoom({ tokens: TOKENS }, 10_000);
});
afterAll(() => rpc[Symbol.asyncDispose]());

const transports: readonly [string, (url: string) => ReturnType<typeof createGrpcTransport>][] = [
  ["Connect", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" })],
  ["Connect, JSON", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: false })],
  ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
];

const client = (): Client<typeof RoomService> =>
  createClient(RoomService, createConnectTransport({ baseUrl: rpc.url, httpVersion: "2" }));
const open = (as = "dealer") => new Publishing(client(), { authorization: bearer(as) });

/** Everything a room's log holds: the text or type of each event, and its seq. */
async function stored(id: string): Promise<{ texts: string[]; seqs: bigint[] }> {
  const { events } = await rpc.broker.history(room(id), { limit: 10_000 });
  const texts = events.map(({ event: { body } }) => {
    if (body.case === "message") return body.value.message;
    return body.case === "customEvent" ? `${body.value.type} ${body.value.dataJson}` : "";
  });
  return { texts, seqs: events.map(({ seq }) => BigInt(seq)) };
}

describe.each(transports)("PublishStream by %s", (name, make) => {
  it("stores messages and events in the order of the items, and answers each", async () => {
    const id = `order.${name.replace(/\W+/g, "-")}`;
    const publishing = new Publishing(createClient(RoomService, make(rpc.url)), { authorization: bearer("dealer") });
    const event: Content = {
      case: "publishEvent",
      value: { roomId: id, type: "table.result", data: { kind: { case: "stringValue", value: "banker" } } },
    };
    publishing.send(says(id, "one"), event, says(id, "two"));
    publishing.send(says(id, "three"));
    publishing.finish();
    const results = (await publishing.settled()).map(ack);
    expect(await publishing.next()).toBeUndefined();
    expect(await stored(id)).toEqual({
      texts: ["one", 'table.result "banker"', "two", "three"],
      seqs: results.map(({ seq }) => seq),
    });
    for (const { epoch } of publishing.responses) expect(epoch).toBe(rpc.broker.epoch);
    const [first] = (await rpc.broker.history(room(id), { limit: 10 })).events;
    expect(first?.event.body.value).toMatchObject({ uid: "service:dealer", username: "dealer" });
  });
});

describe("PublishStream", () => {
  it("keeps the order in each room whatever fails in between, and answers every item once", async () => {
    let run = 0;
    const item = record({
      room: constantFrom("a", "b", "c"),
      kind: constantFrom("message", "message", "event", "long", "bad room", "nothing", "type", "user"),
    });
    const plan = array(
      record({ items: array(item, { minLength: 1, maxLength: 40 }), streams: integer({ min: 0, max: 1 }) }),
      {
        minLength: 1,
        maxLength: 10,
      },
    );
    const reasons: Record<string, ErrorReason> = {
      long: ErrorReason.MESSAGE_TOO_LARGE,
      "bad room": ErrorReason.INVALID_ARGUMENT,
      nothing: ErrorReason.INVALID_ARGUMENT,
      type: ErrorReason.INVALID_ARGUMENT,
      user: ErrorReason.PERMISSION_DENIED,
    };
    const ordered = asyncProperty(plan, async (requests) => {
      const prefix = `mixed.${++run}.`;
      const streams = [open(), open()] as const;
      const sent = streams.map(() => [] as { id: string; kind: string; text: string }[]);
      requests.forEach(({ items, streams: index }, batch) => {
        const contents = items.map(({ room: name, kind }, position): Content => {
          const [id, text] = [`${prefix}${name}`, `${index}-${batch}-${position}`];
          sent[index]?.push({ id, kind, text });
          if (kind === "event")
            return { case: "publishEvent", value: { roomId: id, type: `t.x${text.replaceAll("-", "_")}` } };
          if (kind === "type") return { case: "publishEvent", value: { roomId: id, type: "no dot" } };
          if (kind === "long") return says(id, "x".repeat(4_001));
          if (kind === "bad room") return says("no room", text);
          if (kind === "nothing") return { case: undefined };
          return says(id, text, kind === "user" ? { uid: "percy" } : {});
        });
        streams[index as 0 | 1].send(...contents);
      });
      const bySeq = new Map<bigint, string>();
      for (const [index, publishing] of streams.entries()) {
        publishing.finish();
        const results = await publishing.settled();
        expect(publishing.results).toHaveLength(sent[index]?.length ?? 0);
        const last = new Map<string, bigint>();
        sent[index]?.forEach(({ id, kind, text }, position) => {
          const reason = reasons[kind];
          if (reason !== undefined) {
            expect(failure(results[position])).toMatchObject({ reason, retryable: false });
            return;
          }
          const { seq } = ack(results[position]);
          expect(seq).toBeGreaterThan(last.get(id) ?? 0n);
          last.set(id, seq);
          bySeq.set(seq, kind === "event" ? `t.x${text.replaceAll("-", "_")} null` : text);
        });
      }
      for (const name of ["a", "b", "c"]) {
        const { texts, seqs } = await stored(`${prefix}${name}`);
        expect(texts).toEqual(seqs.map((seq) => bySeq.get(seq)));
        for (const seq of seqs) bySeq.delete(seq);
      }
      expect(bySeq.size).toBe(0);
    });
    await check(ordered, { numRuns: 20, endOnFailure: true });
  });

  it("keeps the order of direct messages, the first ones included, and knows who does not exist", async () => {
    const record = toBinary(UserRecordSchema, create(UserRecordSchema));
    for (const name of ["percy", "quinn"]) await rpc.broker.control.create(controlKeys.user(uid(name)), record);
    const publishing = open();
    const texts = Array.from({ length: 50 }, (_, index) => `m${index}`);
    publishing.send(
      writes("nobody", "hello"),
      ...texts.flatMap((text) => [writes("percy", text), writes("quinn", text)]),
    );
    publishing.finish();
    const [nobody, ...others] = await publishing.settled();
    expect(failure(nobody)).toMatchObject({ reason: ErrorReason.INVALID_ARGUMENT });
    for (const result of others) ack(result);
    for (const name of ["percy", "quinn"]) {
      expect((await stored(`direct:${name}:service|dealer`)).texts).toEqual(texts);
    }
  });

  it("recognises retries, of other streams and of the unary calls", async () => {
    const first = open();
    first.send(says("retry", "once", { idempotencyKey: "k1" }), says("retry", "once", { idempotencyKey: "k1" }));
    const [one, two] = (await first.settled()).map(ack);
    expect(two).toMatchObject({ seq: one?.seq, duplicate: true });
    const second = open();
    second.send(says("retry", "once", { idempotencyKey: "k1" }), says("retry", "other", { idempotencyKey: "k1" }));
    const [three, four] = (await second.settled()).map(ack);
    expect(three).toMatchObject({ seq: one?.seq, duplicate: true });
    expect(four).toMatchObject({ duplicate: false });
    const request = { room_id: "retry", message: "once", idempotency_key: "k1" };
    const { body } = await rpc.post("RoomService/SendMessage", request, { authorization: bearer("dealer") });
    expect(body).toMatchObject({ duplicate: true, message: { seq: String(one?.seq) } });
    first.leave();
    second.leave();
  });

  it("is for tokens that may publish, and sends as users for admins only", async () => {
    for (const [as, code] of [
      ["reader", Code.PermissionDenied],
      ["edge-1", Code.PermissionDenied],
    ] as const) {
      const refused = await open(as)
        .next()
        .then(() => undefined, ConnectError.from);
      expect(refused).toMatchObject({ code });
      expect(refused?.findDetails(ErrorInfoSchema)[0]?.metadata).toEqual({ scope: "publish" });
    }
    const publishing = open("ops");
    publishing.send(says("as-user", "hello", { uid: "percy" }));
    ack((await publishing.settled())[0]);
    const [event] = (await rpc.broker.history(room("as-user"), { limit: 1 })).events;
    expect(event?.event.body.value).toMatchObject({ uid: "percy" });
    publishing.leave();
  });

  it("ends for a request that is too large, of which it stores nothing", async () => {
    const publishing = open();
    publishing.send(says("broken", "one"));
    await publishing.settled();
    publishing.send(...Array.from({ length: 300 }, () => says("broken", "x".repeat(4_000))));
    const error = await publishing.next().then(() => undefined, ConnectError.from);
    expect(error).toMatchObject({ code: Code.ResourceExhausted });
    expect((await stored("broken")).texts).toEqual(["one"]);
    await over();
  });

  it("stores what it has read when the caller vanishes, and leaves nothing behind", async () => {
    const publishing = open();
    publishing.send(...Array.from({ length: 500 }, (_, index) => says("vanish", `m${index}`)));
    await publishing.next();
    publishing.leave();
    await over();
    const { texts } = await stored("vanish");
    expect(texts).toEqual(texts.map((_, index) => `m${index}`));
    expect(texts.length).toBeGreaterThan(0);
  });

  it("makes the caller wait while it holds as many items as it may", async () => {
    const streams = new PublishStreams({ epoch: "e", log: createLog({ level: "silent" }) });
    const stored = Promise.withResolvers<void>();
    let begun = 0;
    const store = async () => {
      const seq = ++begun;
      await stored.promise;
      return { seq, duplicate: false };
    };
    await using server = await startRpc((router) =>
      router.service(RoomService, { publishStream: (requests, { signal }) => streams.serve(requests, store, signal) }),
    );
    let pulled = 0;
    const ITEMS = 3_000;
    async function* requests() {
      while (pulled < ITEMS) yield { items: [{ number: ++pulled, content: says("lobby", "x".repeat(1_000)) }] };
    }
    const rooms = createClient(RoomService, createConnectTransport({ baseUrl: server.url, httpVersion: "2" }));
    const numbers: number[] = [];
    const reading = (async () => {
      for await (const { results } of rooms.publishStream(requests()))
        numbers.push(...results.map((result) => result.number));
    })();
    await eventually("it to be full", () => begun === MAX_ITEMS);
    let before = 0;
    await eventually("the caller to wait", () => {
      const waits = pulled === before;
      before = pulled;
      return waits;
    });
    expect([begun, pulled < ITEMS]).toEqual([MAX_ITEMS, true]);
    stored.resolve();
    await within(PATIENCE_MS, "every result", reading, () => `; have ${numbers.length}`);
    expect(numbers).toEqual(Array.from({ length: ITEMS }, (_, index) => index + 1));
  });

  it("ends with unavailable when the process stops", async () => {
    const other = await startRoom();
    const publishing = new Publishing(
      createClient(RoomService, createConnectTransport({ baseUrl: other.url, httpVersion: "2" })),
    );
    publishing.send(says("a", "one"));
    await publishing.settled();
    const ended = publishing.next().then(() => undefined, ConnectError.from);
    await other.close(1_000);
    expect(await ended).toMatchObject({ code: Code.Unavailable });
    await other[Symbol.asyncDispose]();
  });
});

async function over(): Promise<void> {
  const { publishStreams } = rpc.controlPlane;
  await eventually("the streams to be over", () => publishStreams.size === 0, { state: () => publishStreams.size });
}
