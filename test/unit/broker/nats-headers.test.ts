import { headers, type MsgHdrsImpl, MsgImpl } from "@nats-io/nats-core/internal";
import type { Msg } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { headerBlock, streamPlace, subjectNumber } from "../../../broker/nats-headers.ts";

/** A message as the client makes it of what came from the server. */
function message(fields: Readonly<Record<string, string>> | undefined, name = "a.b"): Msg {
  const all = headers();
  for (const [key, value] of Object.entries(fields ?? {})) all.append(key, value);
  const block = fields ? Buffer.from(`${all}`) : Buffer.alloc(0);
  const bytes = Buffer.concat([block, Buffer.from("\r\nNats-Sequence: 99\r\n in the body")]);
  const subject = Buffer.from(name);
  const frame = { subject, sid: 1, hdr: fields ? block.length : -1, size: bytes.length };
  return new MsgImpl(frame, bytes, { publish: () => undefined }) as Msg;
}

describe("a republished message's place", () => {
  it.each([
    [
      { "Nats-Msg-Id": "abc", "Nats-Stream": "S", "Nats-Sequence": "12", "Nats-Last-Sequence": "7" },
      { seq: 12, lastSeq: 7 },
    ],
    [
      { "Nats-Last-Sequence": "0", "Nats-Sequence": "9007199254740991" },
      { seq: 9007199254740991, lastSeq: 0 },
    ],
    [{ "Nats-Sequence": "3" }, { seq: 3, lastSeq: 0 }],
    [
      { "X-Nats-Sequence": "3", "Nats-Sequence": "x" },
      { seq: 0, lastSeq: 0 },
    ],
    [{}, { seq: 0, lastSeq: 0 }],
    [undefined, { seq: 0, lastSeq: 0 }],
  ])("is read from %j", (fields, place) => {
    const msg = message(fields);
    expect(streamPlace(msg)).toEqual(place);
    expect(msg.data.toString()).toContain("in the body");
  });
});

describe("the headers of a write", () => {
  it.each([
    [{ "Nats-Msg-Id": "abc" }],
    [{ "Nats-Msg-Id": "é", "Nats-Expected-Last-Subject-Sequence": "7", traceparent: "00-1-2-01" }],
    [{}],
  ])("are sent as the client sends its own: %j", (fields) => {
    const theirs = headers() as MsgHdrsImpl;
    for (const [name, value] of Object.entries(fields)) theirs.append(name, value);
    const expected = Object.keys(fields).length > 0 ? `${theirs}` : "NATS/1.0\r\n\r\n";
    expect(Buffer.from((headerBlock(fields) as MsgHdrsImpl).encode()).toString()).toBe(expected);
  });

  it("cannot hold lines of their own", () => {
    for (const value of ["a\r\nNats-Rollup: all", "a\nb", "a\rb"]) {
      expect(() => headerBlock({ "Nats-Msg-Id": value })).toThrow("the header Nats-Msg-Id has one line");
    }
  });
});

describe("the number of an answer", () => {
  it.each([
    ["_INBOX.abc.12", 12],
    ["_INBOX.abc.0", 0],
    ["_INBOX.abc.9007199254740991", 9007199254740991],
    ["_INBOX.abc.", Number.NaN],
    ["_INBOX.abc.1x2", Number.NaN],
    ["_INBOX.abc.-1", Number.NaN],
    ["_INBOX", Number.NaN],
  ])("is read from %s", (subject, number) => {
    expect(subjectNumber(message(undefined, subject), "_INBOX.abc.".length)).toBe(number);
  });
});
