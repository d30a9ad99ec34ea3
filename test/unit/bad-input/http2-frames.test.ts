import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PATIENCE_MS, within } from "../../support/eventually.ts";
import { type RoomFixture, startRoom } from "../services/rpc/room-fixture.ts";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** Types and flags of RFC 9113, section 6. */
const TYPE = { data: 0, headers: 1, reset: 3, settings: 4, push: 5, ping: 6, goAway: 7, window: 8, continuation: 9 };
const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;
const PADDED = 8;
const MAX_INCREMENT = 0x7fffffff;
/** Largest payload of a frame unless agreed otherwise. */
const BLOCK_BYTES = 16_384;

function frame(type: number, options: { flags?: number; stream?: number; payload?: Uint8Array } = {}): Buffer {
  const { flags = 0, stream = 0, payload = Buffer.of() } = options;
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const uint32 = (value: number): Buffer =>
  Buffer.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
const setting = (id: number, value: number): Buffer => Buffer.concat([Buffer.of(0, id), uint32(value)]);
/** A field that is not indexed (RFC 7541, section 6.2.2); both parts under 127 bytes. */
const field = (name: string, value: string): Buffer =>
  Buffer.concat([Buffer.of(0, name.length), Buffer.from(name), Buffer.of(value.length), Buffer.from(value)]);
const request = (...fields: readonly Buffer[]): Buffer =>
  Buffer.concat([
    field(":method", "POST"),
    field(":scheme", "http"),
    field(":path", "/baccarat.v1.RoomService/GetRoom"),
    field(":authority", "localhost"),
    field("content-type", "application/json"),
    ...fields,
  ]);
const headers = (payload: Uint8Array, flags = END_HEADERS | END_STREAM, stream = 1): Buffer =>
  frame(TYPE.headers, { flags, stream, payload });
const many = (count: number, one: Buffer): Buffer => Buffer.concat(Array<Buffer>(count).fill(one));
const increment = (by: number, stream = 0): Buffer => frame(TYPE.window, { stream, payload: uint32(by) });

/** What ends a connection: RFC 9113 calls it a connection error, or it is a flood. */
const ENDS: readonly (readonly [name: string, bytes: Buffer])[] = [
  ["data on stream 0", frame(TYPE.data, { payload: Buffer.from("x") })],
  ["data on a stream that nobody opened", frame(TYPE.data, { stream: 5, payload: Buffer.from("x") })],
  ["headers on stream 0", headers(request(), END_HEADERS, 0)],
  ["headers on a stream of the server's", headers(request(), END_HEADERS, 2)],
  ["headers that are no HPACK", headers(Buffer.alloc(20, 0xff))],
  ["headers with more padding than there is", headers(Buffer.of(200, 1, 2), END_HEADERS | PADDED)],
  ["a field longer than its frame", headers(Buffer.of(0, 100, 0x61))],
  ["a table larger than was agreed", headers(Buffer.of(0x3f, 0xe1, 0xff, 0x7f))],
  ["a continuation of nothing", frame(TYPE.continuation, { flags: END_HEADERS, stream: 1 })],
  ["a ping between headers", Buffer.concat([headers(request(), 0), frame(TYPE.ping, { payload: Buffer.alloc(8) })])],
  ["settings of five bytes", frame(TYPE.settings, { payload: Buffer.alloc(5) })],
  ["settings of a stream", frame(TYPE.settings, { stream: 1 })],
  ["an answer to settings with some of its own", frame(TYPE.settings, { flags: ACK, payload: setting(3, 1) })],
  ["a window of 2^31 by settings", frame(TYPE.settings, { payload: setting(4, 2 ** 31) })],
  ["frames of 1 byte by settings", frame(TYPE.settings, { payload: setting(5, 1) })],
  ["push that is neither on nor off", frame(TYPE.settings, { payload: setting(2, 2) })],
  ["a ping of seven bytes", frame(TYPE.ping, { payload: Buffer.alloc(7) })],
  ["a ping of a stream", frame(TYPE.ping, { stream: 1, payload: Buffer.alloc(8) })],
  ["a window increment of 0", increment(0)],
  ["a window increment of three bytes", frame(TYPE.window, { payload: Buffer.alloc(3) })],
  ["a window above 2^31", Buffer.concat([increment(MAX_INCREMENT), increment(MAX_INCREMENT)])],
  ["a promise to push", frame(TYPE.push, { stream: 1, payload: uint32(2) })],
  ["a reset of a stream that nobody opened", frame(TYPE.reset, { stream: 7, payload: uint32(8) })],
  [
    "a reset of three bytes",
    Buffer.concat([headers(request(), END_HEADERS), frame(TYPE.reset, { stream: 1, payload: Buffer.alloc(3) })]),
  ],
  ["a frame of 16 MiB", Buffer.of(0xff, 0xff, 0xff, TYPE.data, 0, 0, 0, 0, 1)],
  [
    "continuations without end",
    Buffer.concat([
      headers(request(), 0),
      many(5_000, frame(TYPE.continuation, { stream: 1, payload: field("x-a", "a".repeat(100)) })),
    ]),
  ],
  [
    "empty continuations without end",
    Buffer.concat([headers(request(), 0), many(50_000, frame(TYPE.continuation, { stream: 1 }))]),
  ],
  ["100,000 pings", many(100_000, frame(TYPE.ping, { payload: Buffer.alloc(8) }))],
  ["100,000 settings", many(100_000, frame(TYPE.settings))],
];

/** What does not, however strange it is: the request behind it is answered. */
const STRANGE: readonly (readonly [name: string, bytes: Buffer])[] = [
  ["nothing strange", Buffer.of()],
  ["a frame of an unknown type", frame(0xfa, { payload: Buffer.from("x") })],
  ["a setting nobody knows", frame(TYPE.settings, { payload: setting(0xfa, 7) })],
  ["a ping", frame(TYPE.ping, { payload: Buffer.alloc(8) })],
  ["flags that mean nothing", frame(TYPE.ping, { flags: 0xfe, payload: Buffer.alloc(8) })],
  ["the largest window", increment(MAX_INCREMENT - 65_535)],
];

/** Fields that nghttp2 leaves out, so that nobody behind it sees them: the request is answered without. */
const LEFT_OUT: readonly (readonly [name: string, block: Buffer])[] = [
  ["a line end", request(field("x-a", "b\r\nx-c: d"))],
  ["a NUL", request(field("authorization", "Bearer a\0b"))],
  ["no name", request(field("", "b"))],
];

/** Requests that are refused, each with its own stream or its connection: what is never is an answer of 200. */
const REFUSED: readonly (readonly [name: string, block: Buffer])[] = [
  ["200 fields", request(many(200, field("x-a", "b")))],
  ["64 KiB of fields", request(many(640, field("x-a", "b".repeat(100))))],
  ["a field in capitals", request(field("X-A", "b"))],
  ["a field for one hop", request(field("connection", "close"))],
  ["two paths", request(field(":path", "/"))],
  ["a pseudo-field that is none", request(field(":admin", "yes"))],
  ["a pseudo-field behind others", Buffer.concat([field("x-a", "b"), request()])],
  ["no path", Buffer.concat([field(":method", "POST"), field(":scheme", "http"), field(":authority", "localhost")])],
  ["no fields", Buffer.of()],
];

describe("HTTP/2 frames over a raw socket", () => {
  let rpc: RoomFixture;
  beforeAll(async () => {
    rpc = await startRoom();
  });
  afterAll(() => rpc[Symbol.asyncDispose]());

  async function dial(): Promise<Socket> {
    const socket = connect(rpc.port, "127.0.0.1");
    await once(socket, "connect");
    socket.on("error", () => undefined); // a reset is a fine answer
    return socket;
  }

  it.each(ENDS)("%s ends its own connection, and no other", async (_, bytes) => {
    const socket = await dial();
    const closed = within(PATIENCE_MS, "the end of the connection", once(socket, "close"));
    socket.write(Buffer.concat([PREFACE, frame(TYPE.settings), bytes]));
    socket.resume();
    await closed;
    expect((await rpc.post("RoomService/GetRoom", { room_id: "a" })).status).toBe(200);
  });

  it.each(STRANGE)("%s does not", async (_, bytes) => {
    const answer = await firstHeaders(bytes, request());
    // 200, as HPACK's static table has it.
    expect(answer?.[0]).toBe(0x88);
  });

  it.each(LEFT_OUT)("a field with %s counts for nothing", async (_, block) => {
    expect((await firstHeaders(Buffer.of(), block))?.[0]).toBe(0x88);
  });

  it.each(REFUSED)("%s are refused, and nobody else is", async (_, block) => {
    const answer = await firstHeaders(Buffer.of(), block);
    expect(answer?.[0]).not.toBe(0x88);
    expect((await rpc.post("RoomService/GetRoom", { room_id: "a" })).status).toBe(200);
  });

  /** Fields with which a request is answered; undefined when its stream or connection is ended instead. */
  async function firstHeaders(before: Buffer, block: Buffer): Promise<Buffer | undefined> {
    const socket = await dial();
    const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
    let heard: Buffer = Buffer.alloc(0);
    socket.on("data", (bytes) => {
      heard = Buffer.concat([heard, bytes]);
      for (;;) {
        const length = heard.length < 9 ? 0 : heard.readUIntBE(0, 3);
        if (heard.length < 9 + length) return;
        const [type, payload] = [heard[3], heard.subarray(9, 9 + length)];
        if (type === TYPE.headers) resolve(payload);
        if (type === TYPE.reset || type === TYPE.goAway) resolve(undefined);
        heard = heard.subarray(9 + length);
        if (heard.length < 9) return;
      }
    });
    socket.on("close", () => resolve(undefined));
    const blocks = Array.from({ length: Math.max(1, Math.ceil(block.length / BLOCK_BYTES)) }, (_, index) =>
      block.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES),
    );
    const sent = blocks.map((payload, index) => {
      const flags = index === blocks.length - 1 ? END_HEADERS : 0;
      if (index > 0) return frame(TYPE.continuation, { flags, stream: 1, payload });
      return headers(payload, flags);
    });
    const body = frame(TYPE.data, { flags: END_STREAM, stream: 1, payload: Buffer.from('{"room_id":"a"}') });
    socket.write(Buffer.concat([PREFACE, frame(TYPE.settings), before, ...sent, body]));
    try {
      return await within(PATIENCE_MS, "an answer", promise);
    } finally {
      socket.destroy();
    }
  }
});
