import { create, fromJson, toJson } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseFrame } from "../../../edge/frames.ts";
import { encodeMemberPolicy, encodeRoomUpdated, MODERATION_TYPES } from "../../../edge/moderation-frames.ts";
import { MemberPolicySchema } from "../../../gen/baccarat/v1/edge_service_pb.ts";
import {
  MemberMutedPayloadSchema,
  MemberUnmutedPayloadSchema,
  RoomUpdatedPayloadSchema,
} from "../../../gen/baccarat/v1/frames_pb.ts";
import { RoomSchema } from "../../../gen/baccarat/v1/room_pb.ts";
import { FIXED } from "../../../services/limits.ts";

const parse = (type: string, payload: object) => parseFrame(JSON.stringify({ type, id: "1", payload }));
const subject = { roomId: "lobby", uid: "ann", reason: "" };
const forMs = (ms: number) => ({ expiration: { case: "duration", value: durationFromMs(ms) } });

describe("moderators' frames", () => {
  it.each([
    ["kick_member", { reason: "spam" }, { case: "kickMember", value: { ...subject, reason: "spam" } }],
    ["ban_member", {}, { case: "banMember", value: subject }],
    ["ban_member", { duration_ms: 0 }, { case: "banMember", value: subject }],
    ["ban_member", { durationMs: "1500" }, { case: "banMember", value: { ...subject, ...forMs(1_500) } }],
    [
      "ban_member",
      { duration_ms: FIXED.sanctionMs },
      { case: "banMember", value: { ...subject, ...forMs(FIXED.sanctionMs) } },
    ],
    ["unban_member", { duration_ms: "not read" }, { case: "unbanMember", value: subject }],
    ["mute_member", { duration_ms: 1 }, { case: "muteMember", value: { ...subject, ...forMs(1) } }],
    ["unmute_member", { reason: null }, { case: "unmuteMember", value: subject }],
  ])("%s with %j is read", (type, more, act) => {
    const payload = { room_id: "lobby", uid: "ann", ...more };
    expect(parse(type, payload)).toEqual({ type, id: "1", room: "lobby", act });
  });

  it.each([
    [{ frozen: false }, { frozen: false, slowModeMs: 0 }, ["frozen"]],
    [{ slow_mode_ms: 0 }, { frozen: false, slowModeMs: 0 }, ["slow_mode_ms"]],
    [{ frozen: true, slowModeMs: "3600000" }, { frozen: true, slowModeMs: 3_600_000 }, ["frozen", "slow_mode_ms"]],
  ])("update_room with %j changes just that", (settings, room, paths) => {
    expect(parse("update_room", { room_id: "lobby", ...settings })).toMatchObject({
      room: "lobby",
      act: { case: "updateRoom", value: { room: { roomId: "lobby", ...room }, updateMask: { paths } } },
    });
  });

  it.each([
    ["kick_member", { uid: "ann" }, "room_id"],
    ["kick_member", { room_id: "lobby" }, "uid"],
    ["kick_member", { room_id: "lobby", uid: "a b" }, "uid"],
    ["kick_member", { room_id: "lobby", uid: 5 }, "uid"],
    ["kick_member", { room_id: "lobby", uid: "ann", reason: 5 }, "reason"],
    ["kick_member", { room_id: "lobby", uid: "ann", reason: "x".repeat(2 * FIXED.reasonChars + 1) }, "reason"],
    ["ban_member", { room_id: "lobby", uid: "ann", duration_ms: -1 }, "duration_ms"],
    ["ban_member", { room_id: "lobby", uid: "ann", duration_ms: 1.5 }, "duration_ms"],
    ["mute_member", { room_id: "lobby", uid: "ann", duration_ms: FIXED.sanctionMs + 1 }, "duration_ms"],
    ["update_room", { room_id: "lobby" }, "frozen"],
    ["update_room", { room_id: "lobby", title: "mine" }, "frozen"],
    ["update_room", { room_id: "lobby", frozen: "yes" }, "frozen"],
    ["update_room", { room_id: "lobby", slow_mode_ms: FIXED.slowModeMs + 1 }, "slow_mode_ms"],
  ])("%s with %j is refused for its %s", (type, payload, field) => {
    expect(parse(type, payload)).toMatchObject({
      type: "error",
      error: { reason: "invalid_argument", metadata: { field } },
      requestType: type,
    });
  });

  it("of every type are known", () => {
    for (const type of MODERATION_TYPES)
      expect(parse(type, {})).toMatchObject({ error: { reason: "invalid_argument" } });
  });
});

describe("pushes equal the Protobuf JSON mapping", () => {
  const text = fc.oneof(
    fc.constantFrom("", '"', "</script>", "\u2028", "🎉"),
    fc.string({ unit: "binary", maxLength: 20 }),
  );
  const options = { useProtoFieldName: true, alwaysEmitImplicit: true } as const;

  it("member_muted and member_unmuted", () => {
    const until = fc.option(fc.integer({ min: 0, max: 4_102_444_800_000 }).map(timestampFromMs), { nil: undefined });
    const given = fc.record({ uid: text, by: text, reason: text, muted: fc.boolean(), until });
    fc.assert(
      fc.property(given, ({ until: end, muted, ...rest }) => {
        const mutedUntil = end === undefined ? {} : { mutedUntil: end };
        const json = encodeMemberPolicy(create(MemberPolicySchema, { roomId: "lobby", muted, ...rest, ...mutedUntil }));
        const frame = JSON.parse(json) as { type: string; payload: Record<string, unknown> };
        const schema = muted ? MemberMutedPayloadSchema : MemberUnmutedPayloadSchema;
        const message = create(schema, { roomId: "lobby", ...rest, ...(end && { until: end }) });
        // How exactly a time is written is not the mapping's to say.
        const { reason, until: _, ...written } = toJson(schema, message, options) as Record<string, unknown>;
        expect(frame.type).toBe(muted ? "member_muted" : "member_unmuted");
        const { until: shown, ...payload } = frame.payload;
        expect(payload).toEqual({ ...written, ...(reason !== "" && { reason }) });
        expect(shown === null).toBe(end === undefined);
        expect(fromJson(schema, frame.payload as never)).toEqual(message);
      }),
      { numRuns: 200 },
    );
  });

  it("room_updated", () => {
    const key = text.filter((name) => name !== "__proto__");
    const given = fc.record({
      title: text,
      frozen: fc.boolean(),
      slowModeMs: fc.nat(),
      private: fc.boolean(),
      capacity: fc.nat(),
      metadata: fc.dictionary(key, text, { noNullPrototype: true }),
    });
    fc.assert(
      fc.property(given, (settings) => {
        const frame = JSON.parse(
          encodeRoomUpdated(create(RoomSchema, { roomId: "lobby", memberCount: 7, ...settings })),
        );
        const message = create(RoomUpdatedPayloadSchema, { roomId: "lobby", ...settings });
        expect(frame).toEqual({ type: "room_updated", payload: toJson(RoomUpdatedPayloadSchema, message, options) });
      }),
      { numRuns: 200 },
    );
  });
});
