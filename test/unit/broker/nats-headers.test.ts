import { headers, MsgImpl } from "@nats-io/nats-core/internal";
import type { Msg } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { streamPlace } from "../../../broker/nats-headers.ts";

/** A message as the client makes it of what came from the server. */
function message(fields: Readonly<Record<string, string>> | undefined): Msg {
  const all = headers();
  for (const [name, value] of Object.entries(fields ?? {})) all.append(name, value);
  const block = fields ? Buffer.from(`${all}`) : Buffer.alloc(0);
  const bytes = Buffer.concat([block, Buffer.from("\r\nNats-Sequence: 99\r\n in the body")]);
  const subject = Buffer.from("a.b");
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
