import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  array,
  assert as check,
  constantFrom,
  date,
  nat,
  oneof,
  option,
  property,
  record,
  string,
  uint8Array,
} from "fast-check";
import { describe, expect, it } from "vitest";
import { eventBytes, readEvent } from "../../../broker/event-bytes.ts";
import { type Event, EventSchema } from "../../../gen/baccarat/v1/event_pb.ts";
import { messageFields } from "../../support/arbitraries.ts";

const text = oneof(
  string({ unit: "grapheme", maxLength: 300 }),
  constantFrom("", "x".repeat(127), "é".repeat(64), "x".repeat(20_000)),
);
const message = messageFields(text);

describe("an event's bytes", () => {
  it("are those of the Protobuf library, whatever the message", () => {
    const sent = option(date({ min: new Date(0), max: new Date(1e14), noInvalidDate: true }), { nil: undefined });
    check(
      property(record({ roomId: text, sent, value: message }), ({ roomId, sent: at, value }) => {
        const body = { case: "message", value } as const;
        const event = create(EventSchema, { roomId, ...(at && { sent: timestampFromMs(at.getTime()) }), body });
        expect(Buffer.compare(eventBytes(event), toBinary(EventSchema, event))).toBe(0);
        expect(readEvent(eventBytes(event))).toStrictEqual(fromBinary(EventSchema, eventBytes(event)));
      }),
    );
  });

  it("are read as the Protobuf library reads them, whatever became of them", () => {
    const event = create(EventSchema, {
      roomId: "r",
      sent: timestampFromMs(1_700_000_000_123),
      body: { case: "message", value: { uid: "ann", message: "hé", clientMsgId: "1" } },
    });
    const change = record({ at: nat(60), remove: nat(3), insert: uint8Array({ maxLength: 3 }) });
    check(
      property(array(change, { maxLength: 3 }), (changes) => {
        const bytes = [...eventBytes(event)];
        for (const { at, remove, insert } of changes) bytes.splice(at, remove, ...insert);
        expect(outcome(() => readEvent(Buffer.from(bytes)))).toStrictEqual(
          outcome(() => fromBinary(EventSchema, Buffer.from(bytes))),
        );
      }),
      { numRuns: 5_000 },
    );
  });

  it.each([
    ["nothing", {}],
    ["a deletion", { body: { case: "deletion", value: { deletedSeq: 7n, byUid: "ann" } } }],
    [
      "a service's event",
      { body: { case: "customEvent", value: { type: "a.b", dataJson: "{}", byUid: "service:x" } } },
    ],
    ["a traced message", { trace: { traceparent: "00-1-2-01" }, body: { case: "message", value: { message: "hi" } } }],
    ["a message as readers see it", { seq: 9n, body: { case: "message", value: { seq: 9n, message: "hi" } } }],
    ["a message before 1970", { body: { case: "message", value: { message: "hi" } }, sent: timestampFromMs(-1) }],
  ] as const)("are those of %s", (_, fields) => {
    const event = create(EventSchema, { roomId: "r", sent: timestampFromMs(1_700_000_000_123), ...fields });
    expect(Buffer.compare(eventBytes(event), toBinary(EventSchema, event))).toBe(0);
    expect(readEvent(eventBytes(event))).toStrictEqual(event);
  });
});

function outcome(read: () => Event): Event | string {
  try {
    return read();
  } catch (error) {
    return String(error);
  }
}
