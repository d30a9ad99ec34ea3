import { create, fromJson, type MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { StoredEvent } from "../../../broker/broker.ts";
import {
  encodeAck,
  encodeError,
  encodeEvent,
  encodeHistory,
  encodeMember,
  encodeMembers,
  encodeMembersChanged,
  encodeNotice,
  encodePong,
  encodeReconnect,
  encodeReset,
  encodeRoomJoined,
  encodeRoomLeft,
  encodeStoredAck,
  encodeTyping,
  encodeWelcome,
  withPrevSeq,
} from "../../../edge/frame-encoders.ts";
import { MemberSchema } from "../../../gen/baccarat/v1/client_pb.ts";
import { EventSchema } from "../../../gen/baccarat/v1/event_pb.ts";
import * as frames from "../../../gen/baccarat/v1/frames_pb.ts";
import { RoomSchema } from "../../../gen/baccarat/v1/room_pb.ts";
import { frameCode, REASONS, type Reason, RoomError } from "../../../services/errors.ts";
import { parseRoomId } from "../../../services/ids.ts";
import { DEFAULT_LIMITS } from "../../../services/limits.ts";
import { messageFields } from "../../support/arbitraries.ts";
import { expectFrame } from "./expect-frame.ts";

/** Text as users write it, with what JSON, HTML and UTF-8 stumble over. */
const text = fc.oneof(
  fc.constantFrom("", '"', "\\", "</script>", "\u2028\u2029", "🎉👩‍👩‍👧", "\0\x1b[2J", "e\u0301", "a\r\nb"),
  fc.string({ unit: "binary", maxLength: 40 }),
);
const seq = fc.oneof(fc.nat(), fc.maxSafeNat());
const count = fc.nat();
const time = fc.integer({ min: 0, max: 4_102_444_800_000 }).map(timestampFromMs);
const id = fc.option(fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }), { nil: undefined });
const profile = fc.record({ uid: text, username: text, avatarId: text });
const member = fc.record({ uid: text, username: text, avatarId: text, joinTime: time });
const room = fc.stringMatching(/^[A-Za-z0-9_.@-]{1,64}$/).map((value) => parseRoomId(value) ?? failRoom(value));
const epoch = fc.stringMatching(/^[a-z0-9]{1,12}$/);
const settings = fc.record({
  roomId: room,
  title: text,
  frozen: fc.boolean(),
  slowModeMs: fc.nat(),
  private: fc.boolean(),
  capacity: fc.nat(),
  metadata: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), text, { maxKeys: 2 }),
});

const messageEvent = messageFields(text);

describe("every encoder equals the Protobuf JSON mapping", () => {
  it("new_message", () => {
    check(fc.record({ room, seq, prevSeq: seq, sent: time, value: messageEvent, epoch }), (given) => {
      const { room, seq, prevSeq, sent, value, epoch } = given;
      const stored = storedEvent(given, { case: "message", value });
      expectFrame(encodeEvent(stored, epoch), "new_message", undefined, frames.NewMessagePayloadSchema, {
        ...value,
        roomId: room,
        messageId: `${epoch}-${seq}`,
        seq: BigInt(seq),
        prevSeq: BigInt(prevSeq),
        sent,
      });
    });
  });

  it("message_deleted", () => {
    check(fc.record({ room, seq, prevSeq: seq, sent: time, deletedSeq: seq.map(BigInt), byUid: text }), (given) => {
      const { deletedSeq, byUid, ...place } = given;
      const stored = storedEvent(given, { case: "deletion", value: { deletedSeq, byUid } });
      const expected = { ...positionOf(place), sent: place.sent, deletedSeq, byUid };
      expectFrame(encodeEvent(stored, "e"), "message_deleted", undefined, frames.MessageDeletedPayloadSchema, expected);
    });
  });

  it("events with another prev_seq, as if encoded with it", () => {
    const body = fc.oneof(
      messageEvent.map((value) => ({
        case: "message" as const,
        value: { ...value, message: `"prev_seq":1${value.message}` },
      })),
      text.map((byUid) => ({ case: "deletion" as const, value: { deletedSeq: 1n, byUid } })),
      fc.constant({ case: "customEvent" as const, value: { type: "a.b", dataJson: '{"prev_seq":1}' } }),
      fc.constant({ case: undefined }),
    );
    check(fc.record({ room, seq, prevSeq: seq, sent: time, other: seq, body }), ({ other, body, ...place }) => {
      const json = encodeEvent(storedEvent(place, body), "e");
      expect(withPrevSeq(json, other)).toBe(encodeEvent(storedEvent({ ...place, prevSeq: other }, body), "e"));
    });
  });

  it("custom events, with the service's JSON as it is", () => {
    const data = fc.jsonValue({ stringUnit: "binary" }).filter((value) => !JSON.stringify(value).includes("__proto__"));
    const snapshotKey = fc.stringMatching(/^[A-Za-z0-9_.-]{0,8}$/);
    check(fc.record({ room, seq, prevSeq: seq, sent: time, data, snapshotKey }), ({ data, snapshotKey, ...place }) => {
      const dataJson = JSON.stringify(data);
      const value = { type: "table.result", dataJson, byUid: "service:dealer", snapshotKey };
      const json = encodeEvent(storedEvent(place, { case: "customEvent", value }), "e");
      const parsed = JSON.parse(json);
      expect(json).toContain(dataJson);
      expect(parsed.payload.data).toEqual(JSON.parse(dataJson));
      expectFrame(json, "table.result", undefined, frames.CustomEventPayloadSchema, {
        ...positionOf(place),
        sent: place.sent,
        snapshotKey,
        data: fromJson(frames.CustomEventPayloadSchema, { data: JSON.parse(dataJson) }).data ?? fail("no data"),
      });
    });
  });

  it("welcome", () => {
    const conversation = fc.record({ room: text, uid: text, username: text, seq, sent: time });
    const given = fc.record({
      who: profile,
      clientId: text,
      edgeId: text,
      session: text,
      tokenExpiresAt: time,
      direct: fc.array(conversation, { maxLength: 3 }),
      epoch: text,
      id,
    });
    check(given, ({ who, direct, id, ...rest }) => {
      const json = encodeWelcome({ ...who, ...rest, direct, limits: DEFAULT_LIMITS }, id);
      expectFrame(json, "welcome", id, frames.WelcomePayloadSchema, {
        ...who,
        ...rest,
        heartbeatMs: 8_000,
        direct: direct.map(({ room, seq, ...one }) => ({ ...one, roomId: room, seq: BigInt(seq) })),
        limits: {
          maxFrameBytes: 65_536,
          maxMessageChars: 4_000,
          maxRooms: 128,
          messagesPerSecond: 20,
          messageBurst: 40,
          maxHistory: 300,
        },
      });
    });
  });

  it("room_joined and history", () => {
    const events = fc.array(fc.record({ room, seq, prevSeq: seq, sent: time, value: messageEvent }), { maxLength: 3 });
    const given = fc.record({
      room,
      epoch,
      seq,
      count,
      members: fc.array(member, { maxLength: 3 }),
      events,
      recovered: fc.boolean(),
      reason: text,
      standing: fc.record(
        { settings, moderator: fc.boolean(), muted: fc.boolean(), mutedUntil: time },
        { requiredKeys: [] },
      ),
      id,
    });
    check(given, ({ room, epoch, events, recovered, id, standing, ...joined }) => {
      const encoded = events.map((one) => encodeEvent(storedEvent(one, { case: "message", value: one.value }), epoch));
      const inMapping = encoded.map((one) => fromJson(frames.EventFrameSchema, JSON.parse(one)));
      const { settings } = standing;
      const told = { ...standing, settings: settings && create(RoomSchema, settings) };
      const past = { events: encoded, snapshot: encoded.slice(1) };
      const json = encodeRoomJoined({ ...joined, ...told, room, epoch, recovered, ...past }, id);
      expectFrame(json, "room_joined", id, frames.RoomJoinedPayloadSchema, {
        ...joined,
        ...standing,
        roomId: room,
        epoch,
        seq: BigInt(joined.seq),
        recovered,
        events: inMapping,
        snapshot: inMapping.slice(1),
      });
      const page = encodeHistory({ room, epoch, events: encoded, hasMore: recovered }, id);
      const expected = { roomId: room, epoch, events: inMapping, hasMore: recovered };
      expectFrame(page, "history", id, frames.HistoryPayloadSchema, expected);
    });
  });

  it("members", () => {
    const given = fc.record({ room, count, members: fc.array(member), nextPageToken: text, id });
    check(given, ({ room, id, ...page }) => {
      const expected = { ...page, roomId: room };
      expectFrame(encodeMembers({ room, ...page }, id), "members", id, frames.MembersPayloadSchema, expected);
    });
  });

  it("ack", () => {
    const given = fc.record({ room, messageId: text, seq, sent: time, duplicate: fc.boolean(), id: fc.constant("7") });
    check(given, ({ room, seq, id, ...stored }) => {
      const expected = { ...stored, roomId: room, seq: BigInt(seq) };
      expectFrame(encodeStoredAck({ ...stored, room, seq }, id), "ack", id, frames.AckPayloadSchema, expected);
    });
  });

  it("member_joined, member_left and members_changed", () => {
    const given = fc.record({
      room,
      member: profile,
      count,
      reason: text,
      others: fc.array(profile, { maxLength: 3 }),
    });
    check(given, ({ room, member, count, reason, others }) => {
      const expected = { ...member, roomId: room, count, reason };
      const change = { room, member, count, reason };
      const joined = encodeMember("member_joined", change);
      expectFrame(joined, "member_joined", undefined, frames.MemberJoinedPayloadSchema, expected);
      const left = encodeMember("member_left", change);
      expectFrame(left, "member_left", undefined, frames.MemberLeftPayloadSchema, expected);
      const many = { count, joined: others, left: [member] };
      const changed = encodeMembersChanged({ room, ...many });
      const inMapping = { ...many, roomId: room };
      expectFrame(changed, "members_changed", undefined, frames.MembersChangedPayloadSchema, inMapping);
    });
  });

  it("room_left, reset, reconnect, notice, typing and pong", () => {
    check(fc.record({ room, text, by: text, epoch, seq, ms: count, time, id }), (given) => {
      const { room, text: reason, by, epoch, seq, ms, time, id } = given;
      const left = encodeRoomLeft({ room, reason, by });
      expectFrame(left, "room_left", undefined, frames.RoomLeftPayloadSchema, { roomId: room, reason, by });
      const reset = encodeReset({ room, epoch, seq, reason });
      const resetExpected = { roomId: room, epoch, seq: BigInt(seq), reason };
      expectFrame(reset, "reset", undefined, frames.ResetPayloadSchema, resetExpected);
      const reconnect = encodeReconnect(ms, reason);
      expectFrame(reconnect, "reconnect", undefined, frames.ReconnectPayloadSchema, { delayMs: ms, reason });
      const notice = encodeNotice(reason, time);
      expectFrame(notice, "notice", undefined, frames.NoticePayloadSchema, { message: reason, sent: time });
      const typing = encodeTyping({ room, uid: by, username: reason });
      const typingExpected = { roomId: room, uid: by, username: reason };
      expectFrame(typing, "typing", undefined, frames.TypingPayloadSchema, typingExpected);
      expectFrame(encodePong(time, id), "pong", id, frames.PongPayloadSchema, { time });
    });
  });

  it("error", () => {
    const reason = fc.constantFrom(...(Object.keys(REASONS) as Reason[]));
    check(fc.record({ reason, message: text, retryAfterMs: count, requestType: text, id }), (given) => {
      const { reason, message, retryAfterMs, requestType, id } = given;
      const error = new RoomError(reason, message, { retryAfterMs });
      expectFrame(encodeError(error, requestType, id), "error", id, frames.ErrorPayloadSchema, {
        code: frameCode(reason),
        message,
        retryable: REASONS[reason].retryable,
        retryAfterMs,
        requestType,
      });
    });
  });
});

describe("encoders", () => {
  const sent = timestampFromMs(Date.UTC(2023, 11, 4, 1, 35, 59, 834));

  it("writes the protocol's own example", () => {
    const value = { uid: "guest-1", username: "guest-1234", from: "percy", message: "sdfsdf" };
    const stored = storedEvent({ room: roomOf("general"), seq: 2, prevSeq: 1, sent }, { case: "message", value });
    expect(JSON.parse(encodeEvent(stored, "e1"))).toEqual({
      type: "new_message",
      payload: {
        room_id: "general",
        message_id: "e1-2",
        seq: 2,
        prev_seq: 1,
        uid: "guest-1",
        username: "guest-1234",
        from: "percy",
        message: "sdfsdf",
        sent: "2023-12-04T01:35:59.834Z",
      },
    });
  });

  it("always writes milliseconds", () => {
    expect(encodePong(timestampFromMs(1_000))).toBe('{"type":"pong","payload":{"time":"1970-01-01T00:00:01.000Z"}}');
  });

  it("writes null where there is no time", () => {
    const welcome = {
      uid: "u",
      username: "n",
      avatarId: "",
      clientId: "c",
      edgeId: "e",
      session: "s",
      direct: [],
      epoch: "e",
    };
    const json = encodeWelcome({ ...welcome, tokenExpiresAt: undefined, limits: DEFAULT_LIMITS });
    expect(JSON.parse(json).payload).toMatchObject({ token_expires_at: null, direct: [] });
    const members = [create(MemberSchema, { uid: "u" })];
    const page = encodeMembers({ room: "r", count: 1, members, nextPageToken: "" });
    expect(JSON.parse(page).payload.members).toEqual([{ uid: "u", username: "", join_time: null }]);
  });

  it("leaves out of an ack what was not stored", () => {
    expect(encodeAck("r", "1")).toBe('{"type":"ack","id":"1","payload":{"room_id":"r"}}');
    expect(encodeAck(undefined, "1")).toBe('{"type":"ack","id":"1","payload":{}}');
    const json = encodeStoredAck({ room: "r", messageId: "e-1", seq: 1, sent }, "1");
    expect(JSON.parse(json).payload).not.toHaveProperty("duplicate");
  });

  it("shows the seq of an event only a newer version knows", () => {
    const stored = storedEvent({ room: roomOf("r"), seq: 5, prevSeq: 4, sent }, { case: undefined });
    const payload = { room_id: "r", seq: 5, prev_seq: 4, sent: "2023-12-04T01:35:59.834Z", data: null };
    expect(JSON.parse(encodeEvent(stored, "e"))).toEqual({ type: "event.unknown", payload });
  });

  it("writes null for a custom event without data", () => {
    const value = { type: "a.b", dataJson: "", byUid: "service:x" };
    const stored = storedEvent({ room: roomOf("r"), seq: 5, prevSeq: 4, sent }, { case: "customEvent", value });
    expect(JSON.parse(encodeEvent(stored, "e")).payload.data).toBeNull();
  });
});

interface Place {
  readonly room: StoredEvent["room"];
  readonly seq: number;
  readonly prevSeq: number;
  readonly sent: Timestamp;
}

type Body = NonNullable<MessageInitShape<typeof EventSchema>["body"]>;

function storedEvent({ room, seq, prevSeq, sent }: Place, body: Body): StoredEvent {
  return { room, seq, prevSeq, event: create(EventSchema, { roomId: room, sent, body }) };
}

function positionOf({ room, seq, prevSeq }: Omit<Place, "sent">) {
  return { roomId: room, seq: BigInt(seq), prevSeq: BigInt(prevSeq) };
}

function check<T>(arbitrary: fc.Arbitrary<T>, body: (given: T) => void): void {
  fc.assert(fc.property(arbitrary, body), { numRuns: 100 });
}

function roomOf(value: string): StoredEvent["room"] {
  return parseRoomId(value) ?? failRoom(value);
}

function failRoom(value: string): never {
  return fail(`${value} is no room id`);
}

function fail(what: string): never {
  throw new Error(what);
}
