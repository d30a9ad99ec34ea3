import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { StoredEvent } from "../broker/broker.ts";
import type { CustomEvent } from "../gen/baccarat/v1/event_pb.ts";
import type { Room } from "../gen/baccarat/v1/room_pb.ts";
import { frameCode, type RoomError } from "../services/errors.ts";
import { messageId } from "../services/ids.ts";
import { FIXED, type Limits } from "../services/limits.ts";
import type { ServerFrameType } from "./frame-types.ts";
import { settingsPayload } from "./settings-payload.ts";

/**
 * The server's frames as JSON text, equal to the Protobuf JSON mapping of frames.proto with proto field names and the
 * protocol's two additions (seqs are numbers, every field is present but those "absent when empty"). Written by hand
 * because toJson is reflective, three times as slow; a test holds the two equal. JSON.stringify of a literal beats
 * pasting strings together, and drops what is undefined.
 */

/** A point in time, a number being milliseconds since 1970; undefined is written as null. */
type Time = Pick<Timestamp, "seconds" | "nanos"> | number | undefined;

/** What a user shows to others. A Protobuf Profile or Member is one. */
export interface ProfileFields {
  readonly uid: string;
  readonly username: string;
  /** Empty for none. */
  readonly avatarId: string;
}

/** One member of a room. A Protobuf Member is one. */
export interface MemberFields extends ProfileFields {
  readonly joinTime?: Time;
}

/** How things stand for who joins. A Protobuf Joined is one. */
export interface StandingFields {
  /** Undefined when they are the defaults. */
  readonly settings?: Room | undefined;
  readonly moderator?: boolean;
  readonly muted?: boolean;
  /** Undefined when until it is lifted. */
  readonly mutedUntil?: Time;
}

/** The latest of a direct conversation. */
export interface ConversationFields {
  readonly room: string;
  readonly uid: string;
  readonly username: string;
  readonly seq: number;
  readonly sent: Time;
}

/**
 * A stored event as clients see it, `{"type","payload"}`: the frame that is pushed, and an element of
 * room_joined.events and history.events. Never has an id.
 */
export function encodeEvent(stored: StoredEvent, epoch: string): string {
  const { body, sent } = stored.event;
  const position = { room_id: stored.room, seq: stored.seq, prev_seq: stored.prevSeq };
  switch (body.case) {
    case "message":
      return frame("new_message", {
        room_id: stored.room,
        message_id: messageId(epoch, stored.seq),
        seq: stored.seq,
        prev_seq: stored.prevSeq,
        uid: body.value.uid,
        username: body.value.username,
        avatar_id: body.value.avatarId || undefined,
        from: body.value.from || undefined,
        message: body.value.message,
        image_url: body.value.imageUrl || undefined,
        to_uid: body.value.toUid || undefined,
        sent: time(sent),
        client_msg_id: body.value.clientMsgId || undefined,
      });
    case "deletion":
      return frame("message_deleted", {
        ...position,
        sent: time(sent),
        deleted_seq: Number(body.value.deletedSeq),
        by_uid: body.value.byUid,
      });
    case "customEvent":
      return custom(body.value, { ...position, sent: time(sent), snapshot_key: body.value.snapshotKey || undefined });
    default:
      // A kind that only a newer version knows. Its seq must still reach clients, or the next event shows a hole.
      return frame("event.unknown", { ...position, sent: time(sent), data: null });
  }
}

/** An event's JSON of encodeEvent with another prev_seq: what comes before that holds nothing a user wrote. */
export function withPrevSeq(json: string, prevSeq: number): string {
  return json.replace(/"prev_seq":\d+/, `"prev_seq":${prevSeq}`);
}

/** `welcome`: pushed at connect, and the reply to `login`. */
export function encodeWelcome(
  welcome: ProfileFields & {
    readonly clientId: string;
    readonly edgeId: string;
    /** Empty for logged-in users. */
    readonly session: string;
    /** Undefined for guests. */
    readonly tokenExpiresAt: Time;
    readonly direct: readonly ConversationFields[];
    readonly limits: Limits;
    readonly epoch: string;
  },
  id?: string,
): string {
  return frame(
    "welcome",
    {
      client_id: welcome.clientId,
      ...profile(welcome),
      edge_id: welcome.edgeId,
      session: welcome.session,
      heartbeat_ms: FIXED.heartbeatMs,
      token_expires_at: time(welcome.tokenExpiresAt),
      direct: welcome.direct.map(conversationPayload),
      limits: {
        max_frame_bytes: welcome.limits.maxFrameBytes,
        max_message_chars: FIXED.messageChars,
        max_rooms: welcome.limits.maxRoomsPerConnection,
        messages_per_second: welcome.limits.messagesPerSecond,
        message_burst: welcome.limits.messageBurst,
        max_history: FIXED.historyEvents,
      },
      epoch: welcome.epoch,
    },
    id,
  );
}

/** `room_joined`: reply to join_room and change_room, and pushed after an automatic join. */
export function encodeRoomJoined(
  joined: {
    readonly room: string;
    readonly epoch: string;
    readonly seq: number;
    readonly count: number;
    readonly members: readonly MemberFields[];
    /** Texts of encodeEvent, oldest first. */
    readonly events: readonly string[];
    /** Texts of encodeEvent, in the order of their seqs. Default: none. */
    readonly snapshot?: readonly string[];
    readonly recovered: boolean;
    /** Why not recovered, empty for none. */
    readonly reason: string;
  } & StandingFields,
  id?: string,
): string {
  const fields = {
    room_id: joined.room,
    epoch: joined.epoch,
    seq: joined.seq,
    count: joined.count,
    members: joined.members.map(member),
    recovered: joined.recovered,
    reason: joined.reason || undefined,
    settings: joined.settings && settingsPayload(joined.settings),
    moderator: joined.moderator || undefined,
    muted: joined.muted || undefined,
    muted_until: joined.mutedUntil && time(joined.mutedUntil),
  };
  const payload = withField(fields, "events", `[${joined.events.join(",")}]`);
  const { snapshot = [] } = joined;
  const more = snapshot.length === 0 ? "" : `,"snapshot":[${snapshot.join(",")}]`;
  return frameOf("room_joined", `${payload.slice(0, -1)}${more}}`, id);
}

/** `history`: reply to get_history. */
export function encodeHistory(
  page: {
    readonly room: string;
    readonly epoch: string;
    /** Texts of encodeEvent, oldest first. */
    readonly events: readonly string[];
    readonly hasMore: boolean;
  },
  id?: string,
): string {
  const fields = { room_id: page.room, epoch: page.epoch, has_more: page.hasMore };
  return frameOf("history", withField(fields, "events", `[${page.events.join(",")}]`), id);
}

/** `members`: reply to get_members. */
export function encodeMembers(
  page: {
    readonly room: string;
    readonly count: number;
    readonly members: readonly MemberFields[];
    readonly nextPageToken: string;
  },
  id?: string,
): string {
  return frame(
    "members",
    {
      room_id: page.room,
      count: page.count,
      members: page.members.map(member),
      next_page_token: page.nextPageToken,
    },
    id,
  );
}

/** `ack` of a frame that stored nothing. */
export function encodeAck(room: string | undefined, id: string): string {
  return frame("ack", { room_id: room }, id);
}

/** `ack` of send_message; without `duplicate`, of delete_message. */
export function encodeStoredAck(
  stored: {
    readonly room: string;
    readonly messageId: string;
    readonly seq: number;
    readonly sent: Time;
    readonly duplicate?: boolean;
  },
  id: string,
): string {
  return frame(
    "ack",
    {
      room_id: stored.room,
      message_id: stored.messageId,
      seq: stored.seq,
      sent: time(stored.sent),
      duplicate: stored.duplicate,
    },
    id,
  );
}

/** `error`: reply to a frame that failed. `requestType` is empty when it could not be read. */
export function encodeError(error: RoomError, requestType: string, id?: string): string {
  return frame(
    "error",
    {
      code: frameCode(error.reason),
      message: error.message,
      retryable: error.retryable,
      retry_after_ms: Math.ceil(error.retryAfterMs),
      request_type: requestType,
    },
    id,
  );
}

/** `member_joined` or `member_left`. */
export function encodeMember(
  type: "member_joined" | "member_left",
  change: {
    readonly room: string;
    readonly member: ProfileFields;
    /** Members now. */
    readonly count: number;
    /** Empty for none. */
    readonly reason: string;
  },
): string {
  return frame(type, {
    room_id: change.room,
    ...profile(change.member),
    count: change.count,
    reason: change.reason || undefined,
  });
}

/** `members_changed`. */
export function encodeMembersChanged(change: {
  readonly room: string;
  readonly count: number;
  readonly joined: readonly ProfileFields[];
  readonly left: readonly ProfileFields[];
}): string {
  return frame("members_changed", {
    room_id: change.room,
    count: change.count,
    joined: change.joined.map(profile),
    left: change.left.map(profile),
  });
}

/** `room_left`; `by` is empty when nobody decided. */
export function encodeRoomLeft(left: { readonly room: string; readonly reason: string; readonly by: string }): string {
  return frame("room_left", { room_id: left.room, reason: left.reason || undefined, by: left.by });
}

/** `reset`. */
export function encodeReset(reset: {
  readonly room: string;
  readonly epoch: string;
  readonly seq: number;
  readonly reason: string;
}): string {
  return frame("reset", {
    room_id: reset.room,
    epoch: reset.epoch,
    seq: reset.seq,
    reason: reset.reason || undefined,
  });
}

/** `reconnect`. */
export function encodeReconnect(delayMs: number, reason: string): string {
  return frame("reconnect", { delay_ms: Math.round(delayMs), reason: reason || undefined });
}

/** `notice`. */
export function encodeNotice(message: string, sent: Time): string {
  return frame("notice", { message, sent: time(sent) });
}

/** `typing`, as pushed to the other members. */
export function encodeTyping(typing: {
  readonly room: string;
  readonly uid: string;
  readonly username: string;
}): string {
  return frame("typing", { room_id: typing.room, uid: typing.uid, username: typing.username });
}

/** `pong`. */
export function encodePong(now: Time, id?: string): string {
  return frame("pong", { time: time(now) }, id);
}

/** JSON text as one unmasked, final RFC 6455 text frame, in one allocation. */
export function textFrame(json: string): Buffer {
  const length = Buffer.byteLength(json);
  const header = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const bytes = Buffer.allocUnsafe(header + length);
  bytes[0] = 0x81;
  if (header === 2) {
    bytes[1] = length;
  } else if (header === 4) {
    bytes[1] = 126;
    bytes.writeUInt16BE(length, 2);
  } else {
    bytes[1] = 127;
    bytes.writeBigUInt64BE(BigInt(length), 2);
  }
  bytes.write(json, header);
  return bytes;
}

/** A frame's text. What is undefined in the payload is left out. */
export function frame(type: ServerFrameType, payload: object, id?: string): string {
  return JSON.stringify({ type, id, payload });
}

/** As frame, for a payload that is text already. */
function frameOf(type: ServerFrameType, payload: string, id?: string): string {
  return withField({ type, id }, "payload", payload);
}

/** An object's text with one more field whose value is text already. The object has at least one field. */
function withField(fields: object, name: string, json: string): string {
  return `${JSON.stringify(fields).slice(0, -1)},"${name}":${json}}`;
}

function custom({ type, dataJson }: CustomEvent, payload: object): string {
  return `{"type":${JSON.stringify(type)},"payload":${withField(payload, "data", dataJson || "null")}}`;
}

function profile(fields: ProfileFields): object {
  return { uid: fields.uid, username: fields.username, avatar_id: fields.avatarId || undefined };
}

function member(fields: MemberFields): object {
  return { ...profile(fields), join_time: time(fields.joinTime) };
}

/** A conversation inside a payload. */
export function conversationPayload({ room, uid, username, seq, sent }: ConversationFields): object {
  return { room_id: room, uid, username, seq, sent: time(sent) };
}

/** RFC 3339, or null for none. */
export function time(value: Time): string | null {
  if (value === undefined) return null;
  const ms = typeof value === "number" ? value : Number(value.seconds) * 1_000 + Math.floor(value.nanos / 1e6);
  // An event and its ack have the same, and so has most of what comes within a millisecond.
  if (ms !== lastTime.ms) lastTime = { ms, text: new Date(ms).toISOString() };
  return lastTime.text;
}

let lastTime = { ms: 0, text: "1970-01-01T00:00:00.000Z" };
