import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FIXED } from "../../../services/limits.ts";
import type { TestClient } from "../../support/client.ts";
import { OPCODE, RawSocket } from "../../support/raw-socket.ts";
import { InProcess } from "../edge/in-process.ts";

const CONTINUATION = 0;
const PING = '{"type":"ping","id":"p"}';
const MAX_BYTES = 65_536;

type Send = (raw: RawSocket) => void;
type Case = readonly [name: string, code: number, send: Send];

const part =
  (opcode: number, payload: Uint8Array | string, fin = false): Send =>
  (raw) =>
    raw.frame(opcode, payload, { fin });
const bytes =
  (...octets: number[]): Send =>
  (raw) =>
    raw.write(Buffer.from(octets));
const inTurn =
  (...sends: Send[]): Send =>
  (raw) => {
    for (const send of sends) send(raw);
  };
const text = (...octets: number[]): Send => part(OPCODE.text, Uint8Array.from(octets), true);
const close = (code: number, reason: Uint8Array | string = ""): Send =>
  part(OPCODE.close, Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]), true);
/** A text frame that announces a length of eight bytes, and nothing after it. */
const announced = (...length: number[]): Send => bytes(0x81, 0xff, ...length);

/** What breaks RFC 6455, and the code it is closed with. */
const BROKEN: readonly Case[] = [
  ["an unmasked text", 1002, (raw) => raw.frame(OPCODE.text, PING, { mask: false })],
  ["an unmasked ping", 1002, (raw) => raw.frame(OPCODE.ping, "", { mask: false })],
  ["an unmasked close", 1002, (raw) => raw.frame(OPCODE.close, "", { mask: false })],
  ...[1, 2, 4].map((rsv): Case => [`reserved bits ${rsv}`, 1002, (raw) => raw.frame(OPCODE.text, PING, { rsv })]),
  ["reserved bits of a ping", 1002, (raw) => raw.frame(OPCODE.ping, "", { rsv: 4 })],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): Case => [`opcode ${opcode}`, 1002, part(opcode, "x", true)]),
  ["a continuation of nothing", 1002, part(CONTINUATION, PING, true)],
  ["a continuation after a whole message", 1002, inTurn(part(OPCODE.text, PING, true), part(CONTINUATION, "", true))],
  ["a text within a message", 1002, inTurn(part(OPCODE.text, "{"), part(OPCODE.text, PING, true))],
  ["a binary within a message", 1002, inTurn(part(OPCODE.text, "{"), part(OPCODE.binary, "x", true))],
  ["a fragmented ping", 1002, part(OPCODE.ping, "x")],
  ["a fragmented pong", 1002, part(OPCODE.pong, "x")],
  ["a fragmented close", 1002, part(OPCODE.close, "")],
  ["a ping of 126 bytes", 1002, part(OPCODE.ping, "x".repeat(126), true)],
  ["a pong of 126 bytes", 1002, part(OPCODE.pong, "x".repeat(126), true)],
  ["a close of 126 bytes", 1002, close(1000, "x".repeat(124))],
  ["a ping of 2^62 bytes", 1002, bytes(0x89, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0)],

  ["bytes that are in no UTF-8", 1007, text(0xff, 0xfe)],
  ["an encoded surrogate", 1007, text(0xed, 0xa0, 0x80)],
  ["an overlong NUL", 1007, text(0xc0, 0x80)],
  ["an overlong slash", 1007, text(0xe0, 0x80, 0xaf)],
  ["a character above U+10FFFF", 1007, text(0xf4, 0x90, 0x80, 0x80)],
  ["half a character", 1007, text(0xe2, 0x82)],
  ["a lone continuation byte", 1007, text(0x80)],
  ["bad UTF-8 in the second fragment", 1007, inTurn(part(OPCODE.text, "{"), part(CONTINUATION, Buffer.of(255), true))],
  ["a close reason of bad UTF-8", 1007, close(1000, Uint8Array.of(0xff))],

  ["one byte over the limit", 1009, part(OPCODE.text, "x".repeat(MAX_BYTES + 1), true)],
  [
    "two fragments over the limit",
    1009,
    inTurn(part(OPCODE.text, "x".repeat(MAX_BYTES)), part(CONTINUATION, "x", true)),
  ],
  ["an announced length of 65,537", 1009, announced(0, 0, 0, 0, 0, 1, 0, 1)],
  ["an announced length of 2^32", 1009, announced(0, 0, 0, 1, 0, 0, 0, 0)],
  ["an announced length of 2^40", 1009, announced(0, 0, 1, 0, 0, 0, 0, 0)],
  ["an announced length of 2^53", 1009, announced(0, 0x20, 0, 0, 0, 0, 0, 0)],
  ["an announced length of 2^62", 1009, announced(0x40, 0, 0, 0, 0, 0, 0, 0)],
  ["an announced length of 2^63, a negative number", 1009, announced(0x80, 0, 0, 0, 0, 0, 0, 0)],
  ["an announced length of 2^64 - 1", 1009, announced(255, 255, 255, 255, 255, 255, 255, 255)],

  ["1,001 fragments of a byte", 1008, fragments(FIXED.frameFragments + 1, "x")],
  ["1,100 empty fragments", 1008, fragments(1_100, "")],

  ["a binary message", 1003, part(OPCODE.binary, PING, true)],
  ["an empty binary message", 1003, part(OPCODE.binary, "", true)],
  ["a binary message in fragments", 1003, inTurn(part(OPCODE.binary, "{"), part(CONTINUATION, "}", true))],

  ["a close with one byte", 1002, part(OPCODE.close, "x", true)],
  ...[0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65_535].map(
    (code): Case => [`a close with ${code}`, 1002, close(code)],
  ),
];

/** What does not, however strange it is: the ping in it is answered. */
const STRANGE: readonly (readonly [name: string, send: Send])[] = [
  ["a message of exactly the limit", (raw) => raw.frame(OPCODE.text, PING.padEnd(MAX_BYTES))],
  ["a message in 1,000 fragments", fragments(FIXED.frameFragments, " ", PING)],
  ["a character cut in two by fragments", inTurn(...split('{"type":"ping","id":"p","x":"€"}', 28))],
  ["a ping between two fragments", inTurn(part(OPCODE.text, PING.slice(0, 5)), part(OPCODE.ping, "x", true), rest(5))],
  ["a ping of 125 bytes", inTurn(part(OPCODE.ping, "x".repeat(125), true), part(OPCODE.text, PING, true))],
  ["a pong nobody asked for", inTurn(part(OPCODE.pong, "x", true), part(OPCODE.text, PING, true))],
  ["an empty message before it", inTurn(part(OPCODE.text, "", true), part(OPCODE.text, PING, true))],
  ["a length written in two bytes without need", bytes(0x81, 0xfe, 0, PING.length, 0, 0, 0, 0, ...Buffer.from(PING))],
  ["a mask of zeros", bytes(0x81, 0x80 | PING.length, 0, 0, 0, 0, ...Buffer.from(PING))],
];

/** Closes that are right, and the code that is answered. */
const CLOSES: readonly Case[] = [
  ["no code", 1005, part(OPCODE.close, "", true)],
  ...[1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 4000, 4999].map(
    (code): Case => [`${code}`, code, close(code)],
  ),
  ["a reason of 123 bytes", 1000, close(1000, "x".repeat(123))],
  ["data after it", 1000, inTurn(close(1000), part(OPCODE.text, PING, true), bytes(0xff, 0xff, 0xff))],
];

describe("WebSocket frames over a raw socket", () => {
  let product: InProcess;
  let url: string;
  let witness: TestClient;

  beforeAll(async () => {
    product = await InProcess.start();
    const edge = await product.edge();
    url = edge.url;
    witness = await product.client(edge);
  });
  afterAll(() => product[Symbol.asyncDispose]());

  it.concurrent.each(BROKEN)("%s ends its own connection with %i, and no other", async (_, code, send) => {
    await using raw = await RawSocket.upgrade(url);
    send(raw);
    expect(await raw.closeCode()).toBe(code);
    await raw.ended();
    await witness.request("ping");
  });

  it.each(STRANGE)("%s is read", async (_, send) => {
    await using raw = await RawSocket.upgrade(url);
    send(raw);
    await raw.hears('"type":"pong","id":"p"');
  });

  it.each(CLOSES)("a close with %s is answered by %i", async (_, code, send) => {
    await using raw = await RawSocket.upgrade(url);
    send(raw);
    expect(await raw.closeCode()).toBe(code);
    await raw.ended();
    await witness.request("ping");
  });

  it("a client that goes in the middle of a frame hurts nobody", async () => {
    for (const octets of [
      [0x81],
      [0x81, 0xff],
      [0x81, 0x85, 1, 2],
      [0x81, 0x85, 1, 2, 3, 4, 5],
      [0x01, 0x80, 0, 0, 0, 0],
    ]) {
      await using raw = await RawSocket.upgrade(url);
      raw.write(Buffer.from(octets));
    }
    await witness.request("ping");
  });

  it.concurrent("a client that does not answer a close is cut off within 5 s", async () => {
    await using raw = await RawSocket.upgrade(url);
    part(OPCODE.binary, "x", true)(raw);
    expect(await raw.closeCode()).toBe(1003);
    await raw.ended(5_000);
  });
});

/** A message in so many fragments of `payload`, the last of which is `last`. */
function fragments(count: number, payload: string, last = payload): Send {
  return (raw) => {
    for (let index = 0; index < count - 1; index++) {
      raw.frame(index === 0 ? OPCODE.text : CONTINUATION, payload, { fin: false });
    }
    raw.frame(CONTINUATION, last);
  };
}

/** A message cut in two after so many bytes. */
function split(message: string, at: number): readonly [Send, Send] {
  const whole = Buffer.from(message);
  return [part(OPCODE.text, whole.subarray(0, at)), part(CONTINUATION, whole.subarray(at), true)];
}

/** The end of the ping, as the last fragment. */
function rest(from: number): Send {
  return part(CONTINUATION, PING.slice(from), true);
}
