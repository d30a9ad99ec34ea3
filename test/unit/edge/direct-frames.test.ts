import { create, fromJson, toJson } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { conversationFields, encodeConversations, encodeTruncated } from "../../../edge/direct-frames.ts";
import { parseFrame } from "../../../edge/frames.ts";
import {
  ConversationSchema,
  ConversationsPayloadSchema,
  TruncatedPayloadSchema,
} from "../../../gen/baccarat/v1/frames_pb.ts";

const parse = (type: string, payload: object) => parseFrame(JSON.stringify({ type, id: "1", payload }));
const AS_FRAMES_ARE = { useProtoFieldName: true, alwaysEmitImplicit: true } as const;

describe("frames about direct messages", () => {
  it.each([
    [{}, { pageSize: 50, pageToken: "" }],
    [{ page_size: 1_000 }, { pageSize: 1_000, pageToken: "" }],
    [
      { pageSize: "2", pageToken: "t" },
      { pageSize: 2, pageToken: "t" },
    ],
  ])("get_conversations with %j is read", (payload, fields) => {
    expect(parse("get_conversations", payload)).toEqual({ type: "get_conversations", id: "1", ...fields });
  });

  it.each(["block_user", "unblock_user"])("%s is read", (type) => {
    expect(parse(type, { uid: "ann" })).toEqual({ type, id: "1", uid: "ann" });
  });

  it.each([
    ["get_conversations", { page_size: 0 }, "page_size"],
    ["get_conversations", { page_size: 1_001 }, "page_size"],
    ["get_conversations", { page_token: "x".repeat(1_025) }, "page_token"],
    ["block_user", {}, "uid"],
    ["block_user", { uid: "" }, "uid"],
    ["unblock_user", { uid: "a b" }, "uid"],
    ["unblock_user", { uid: 5 }, "uid"],
  ])("%s with %j is refused by its field", (type, payload, field) => {
    const frame = parse(type, payload);
    if (frame.type !== "error") throw new Error(`${type} was taken as ${JSON.stringify(frame)}`);
    expect([frame.error.reason, frame.error.metadata.field]).toEqual(["invalid_argument", field]);
  });

  it("conversations equals the Protobuf JSON mapping, but for seqs as numbers", () => {
    const conversation = fc.record({
      roomId: fc.string(),
      uid: fc.string(),
      username: fc.string({ unit: "grapheme" }),
      seq: fc.maxSafeNat().map(BigInt),
      sent: fc.integer({ min: 0, max: 4_102_444_800_000 }).map(timestampFromMs),
    });
    const page = fc.record({ conversations: fc.array(conversation, { maxLength: 3 }), nextPageToken: fc.string() });
    fc.assert(
      fc.property(page, ({ conversations, nextPageToken }) => {
        const fields = conversations.map((one) => conversationFields(create(ConversationSchema, one)));
        const { type, id, payload } = JSON.parse(encodeConversations({ conversations: fields, nextPageToken }, "1"));
        expect([type, id]).toEqual(["conversations", "1"]);
        const message = create(ConversationsPayloadSchema, { conversations, nextPageToken });
        expect(fromJson(ConversationsPayloadSchema, payload)).toEqual(message);
        expect(payload.conversations.map((one: { seq: unknown }) => typeof one.seq)).toEqual(
          conversations.map(() => "number"),
        );
      }),
    );
  });

  it("truncated equals the Protobuf JSON mapping, but for seqs as numbers", () => {
    const truncated = { epoch: "e", seq: 12, rooms: ["direct:ann:bob"], moreRooms: true };
    const message = create(TruncatedPayloadSchema, { ...truncated, seq: 12n });
    const written = toJson(TruncatedPayloadSchema, message, AS_FRAMES_ARE) as object;
    expect(JSON.parse(encodeTruncated(truncated))).toEqual({ type: "truncated", payload: { ...written, seq: 12 } });
  });
});
