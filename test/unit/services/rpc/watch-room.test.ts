import { connect as connectHttp2 } from "node:http2";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { array, asyncProperty, boolean, assert as check, constantFrom, integer, record } from "fast-check";
import { describe, expect, it } from "vitest";
import { ErrorInfoSchema, ErrorReason } from "../../../../gen/baccarat/v1/errors_pb.ts";
import type { PositionSchema } from "../../../../gen/baccarat/v1/event_pb.ts";
import { RoomService, type WatchRoomRequestSchema } from "../../../../gen/baccarat/v1/room_service_pb.ts";
import { eventually, PATIENCE_MS, within } from "../../../support/eventually.ts";
import { store } from "../room/replica.ts";
import { Watching } from "../room/watching.ts";
import { startRoom } from "./room-fixture.ts";
import { bearer, TOKENS } from "./rpc-fixture.ts";

type Position = MessageInitShape<typeof PositionSchema>;
type Target = NonNullable<MessageInitShape<typeof WatchRoomRequestSchema>["target"]>;

const aRoom = (roomId: string) => ({ case: "roomId", value: roomId }) as const;
const aPattern = (pattern: string) => ({ case: "roomPattern", value: pattern }) as const;
const texts = (count: number) => Array.from({ length: count }, (_, index) => `m${index + 1}`);

const overHttp2 = ({ url }: { url: string }): Client<typeof RoomService> =>
  createClient(RoomService, createConnectTransport({ baseUrl: url, httpVersion: "2" }));

function watch(
  rooms: Client<typeof RoomService>,
  request: MessageInitShape<typeof WatchRoomRequestSchema>,
  headers: Record<string, string> = {},
): Watching {
  return new Watching((signal) => rooms.watchRoom(request, { signal, headers }));
}

/** What a caller is told by an error: code, reason and facts. */
function told(error: unknown): object {
  const { code, details } = ConnectError.from(error);
  const [info] = ConnectError.from(error).findDetails(ErrorInfoSchema);
  return { code, reason: info?.reason, metadata: info?.metadata, retryable: info?.retryable, details: details.length };
}

const TRANSPORTS: readonly [name: string, make: (baseUrl: string) => Transport][] = [
  ["Connect over HTTP/1.1", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" })],
  ["Connect, JSON, HTTP/2", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: false })],
  ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
  ["gRPC-Web", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
];

describe.each(TRANSPORTS)("WatchRoom by %s", (_, make) => {
  it("follows, goes on, refuses, and leaves nothing behind", async () => {
    await using rpc = await startRoom();
    const rooms = createClient(RoomService, make(rpc.url));
    const watching = watch(rooms, { target: aRoom("table.7") });
    await watching.next();
    const seqs = await store(rpc.broker, "table.7", texts(20));
    await watching.count(20);
    expect(watching.seqs).toEqual(seqs);
    watching.leave();
    expect(ConnectError.from(await watching.fails()).code).toBe(Code.Canceled);

    const after: Position = { epoch: rpc.broker.epoch, seq: BigInt(seqs[9] ?? 0) };
    const resumed = watch(rooms, { target: aPattern("table.*"), after });
    expect((await resumed.count(10)).seqs).toEqual(seqs.slice(10));
    resumed.leave();

    const refused = watch(rooms, { target: aRoom("table.7"), after: { ...after, epoch: "x" } });
    expect(told(await refused.fails())).toMatchObject({
      code: Code.FailedPrecondition,
      reason: ErrorReason.EPOCH_CHANGED,
      metadata: { epoch: rpc.broker.epoch },
    });
    await eventually("the streams to be over", () => rpc.controlPlane.watches.counts.open === 0, {
      state: () => rpc.controlPlane.watches.counts,
    });
    expect(rpc.controlPlane.watches.counts.hearing).toBe(0);
  });
});

describe("WatchRoom", () => {
  it("misses and repeats nothing, however often and wherever it goes on while others publish", async () => {
    await using rpc = await startRoom();
    const rooms = overHttp2(rpc);
    let run = 0;
    const publisher = record({
      room: integer({ min: 0, max: 2 }),
      batches: array(integer({ min: 1, max: 30 }), { maxLength: 12 }),
    });
    const plan = record({
      publishers: array(publisher, { minLength: 1, maxLength: 4 }),
      /** After how many events each stream is left; the rest is read by a last one. */
      cuts: array(integer({ min: 0, max: 60 }), { maxLength: 8 }),
      /** Whether to go on from the last response's position or from the last event's seq. */
      byResponse: boolean(),
      target: constantFrom("room", "pattern", "conversation"),
    });
    const exact = asyncProperty(plan, async ({ publishers, cuts, byResponse, target }) => {
      const prefix = `run.${++run}.`;
      const conversation = `direct:ann-${run}:bob`;
      const ids = [`${prefix}a`, `${prefix}b`, conversation];
      const followed = {
        room: aRoom(`${prefix}a`),
        pattern: aPattern(`${prefix}*`),
        conversation: aRoom(conversation),
      };
      const wanted = { room: [`${prefix}a`], pattern: [`${prefix}a`, `${prefix}b`], conversation: [conversation] };
      let position: Position = { epoch: rpc.broker.epoch, seq: BigInt(await rpc.broker.logEnd()) };

      const published: number[] = [];
      const publishing = Promise.all(
        publishers.map(async ({ room, batches }) => {
          const id = ids[room] ?? conversation;
          for (const size of batches) {
            const seqs = await store(rpc.broker, id, texts(size));
            if (wanted[target].includes(id)) published.push(...seqs);
          }
        }),
      );
      const heard: number[] = [];
      const total = publishers
        .filter(({ room }) => wanted[target].includes(ids[room] ?? ""))
        .reduce((sum, { batches }) => sum + batches.reduce((count, size) => count + size, 0), 0);
      for (const cut of [...cuts, total]) {
        const watching = watch(rooms, { target: followed[target], after: position });
        await watching.next();
        await watching.count(Math.min(cut, total - heard.length));
        const events = byResponse ? watching.events : watching.events.slice(0, cut);
        heard.push(...events.map(({ seq }) => Number(seq)));
        const last = byResponse ? watching.position.seq : events.at(-1)?.seq;
        position = { ...position, ...(last !== undefined && { seq: last }) };
        watching.leave();
      }
      await publishing;
      expect(heard).toEqual(published.sort((a, b) => a - b));
    });
    await check(exact, { numRuns: 25, endOnFailure: true });
    await eventually("the streams to be over", () => rpc.controlPlane.watches.counts.open === 0);
  });

  it("refuses positions it cannot go on from, whole", async () => {
    await using rpc = await startRoom({}, 10);
    const rooms = overHttp2(rpc);
    const seqs = await store(rpc.broker, "table.7", texts(30));
    const { epoch } = rpc.broker;
    for (const target of [aRoom("table.7"), aPattern("table.*")]) {
      const from = async (after: Position) => {
        const watching = watch(rooms, { target, after });
        const error = told(await watching.fails());
        expect(watching.events).toEqual([]);
        return error;
      };
      expect(await from({ epoch, seq: BigInt(seqs[5] ?? 0) })).toMatchObject({
        code: Code.OutOfRange,
        reason: ErrorReason.TOO_OLD,
        retryable: false,
      });
      expect(await from({ epoch, seq: 1_000n })).toMatchObject({
        code: Code.OutOfRange,
        reason: ErrorReason.UNKNOWN_POSITION,
      });
      expect(await from({ epoch: "of another log", seq: 1n })).toMatchObject({
        code: Code.FailedPrecondition,
        reason: ErrorReason.EPOCH_CHANGED,
      });
    }
  });

  it.each<[string, Target, bigint]>([
    ["room_id", { case: undefined }, 0n],
    ["room_id", aRoom(""), 0n],
    ["room_id", aRoom("table.*"), 0n],
    ["room_id", aRoom("direct:bob:ann"), 0n],
    ["room_pattern", aPattern(""), 0n],
    ["room_pattern", aPattern("a*b"), 0n],
    ["room_pattern", aPattern("*a"), 0n],
    ["room_pattern", aPattern("a b*"), 0n],
    ["room_pattern", aPattern(`${"x".repeat(65)}*`), 0n],
    ["room_pattern", aPattern("direct:*"), 0n],
    ["room_pattern", aPattern("direct:ann:bob"), 0n],
    ["after.seq", aRoom("a"), 2n ** 53n],
  ])("refuses a wrong %s: %j", async (field, target, seq) => {
    await using rpc = await startRoom();
    const watching = watch(overHttp2(rpc), { target, after: { epoch: rpc.broker.epoch, seq } });
    expect(told(await watching.fails())).toMatchObject({
      code: Code.InvalidArgument,
      reason: ErrorReason.INVALID_ARGUMENT,
      metadata: { field },
    });
  });

  it("takes a pattern without a star for a room", async () => {
    await using rpc = await startRoom();
    await store(rpc.broker, "table.7", texts(1));
    await store(rpc.broker, "table.77", texts(1));
    const after: Position = { epoch: rpc.broker.epoch, seq: 0n };
    const watching = watch(overHttp2(rpc), { target: aPattern("table.7"), after });
    await watching.count(1);
    await watching.reaches(2);
    expect(watching.events.map(({ roomId }) => roomId)).toEqual(["table.7"]);
    watching.leave();
  });

  it("is for tokens that may read", async () => {
    await using rpc = await startRoom({ tokens: TOKENS });
    const rooms = overHttp2(rpc);
    for (const [name, code] of [
      ["reader", undefined],
      ["dealer", undefined],
      ["ops", undefined],
      ["edge-1", Code.PermissionDenied],
    ] as const) {
      const headers = { authorization: bearer(name) };
      const watching = watch(rooms, { target: aRoom("a") }, headers);
      if (code === undefined) {
        await watching.next();
        watching.leave();
      } else expect(told(await watching.fails())).toMatchObject({ code, metadata: { scope: "read" } });
    }
    expect(told(await watch(rooms, { target: aRoom("a") }).fails())).toMatchObject({
      code: Code.Unauthenticated,
    });
  });

  it("ends who reads too slowly, when it could not keep everything, and counts that", async () => {
    await using rpc = await startRoom({}, 100_000);
    const rooms = overHttp2(rpc);
    const watching = watch(rooms, { target: aRoom("table.7") });
    await watching.next();
    const seqs: number[] = [];
    const long = Array<string>(500).fill("x".repeat(2_000));
    const slow = async () => /slow_watchers_total 1$/m.test((await rpc.metrics.render()).text);
    while (!(await slow())) seqs.push(...(await store(rpc.broker, "table.7", long)));
    const error = told(await watching.fails());
    const position = { epoch: rpc.broker.epoch, seq: String(watching.position.seq) };
    expect(error).toMatchObject({
      code: Code.ResourceExhausted,
      reason: ErrorReason.SLOW_CONSUMER,
      retryable: true,
      metadata: position,
    });
    const rest = watch(rooms, { target: aRoom("table.7"), after: watching.position });
    await rest.count(seqs.length - watching.events.length);
    expect([...watching.seqs, ...rest.seqs]).toEqual(seqs);
    rest.leave();
  });

  it("leaves nothing behind of a caller that vanishes while it does not read", async () => {
    await using rpc = await startRoom({}, 100_000);
    const session = connectHttp2(rpc.url);
    const stream = session.request({
      ":method": "POST",
      ":path": "/baccarat.v1.RoomService/WatchRoom",
      "content-type": "application/connect+json",
    });
    const request = Buffer.from('{"room_id":"table.7"}');
    stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, request.length]), request]));
    await within(PATIENCE_MS, "headers", new Promise((resolve) => stream.once("response", resolve)));
    const { watches } = rpc.controlPlane;
    expect(watches.counts).toEqual({ open: 1, hearing: 1 });
    // More than the windows and buffers of a connection take, and less than the queue does.
    await store(rpc.broker, "table.7", Array<string>(1_000).fill("x".repeat(1_000)));
    session.destroy();
    await eventually("the stream to be over", () => watches.counts.open === 0);
    expect(watches.counts.hearing).toBe(0);
    await eventually("the call to be counted", () => rpc.calls.length === 1);
    expect(rpc.calls).toEqual([{ method: "baccarat.v1.RoomService/WatchRoom", code: "canceled" }]);
  });

  it("ends with unavailable when the process stops, and when the control plane does", async () => {
    const rpc = await startRoom();
    const stopped = watch(overHttp2(rpc), { target: aRoom("a") });
    await stopped.next();
    const error = stopped.fails();
    await rpc.close(1_000);
    expect(told(await error)).toMatchObject({ code: Code.Unavailable, reason: ErrorReason.UNAVAILABLE });
    await rpc[Symbol.asyncDispose]();

    await using other = await startRoom();
    const closed = watch(overHttp2(other), { target: aPattern("*") });
    await closed.next();
    await other.controlPlane.close();
    expect(told(await closed.fails())).toMatchObject({ code: Code.Unavailable });
  });
});
