import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { MemberPolicy, ModerateSchema } from "../gen/baccarat/v1/edge_service_pb.ts";
import type { Room } from "../gen/baccarat/v1/room_pb.ts";
import type { RoomId, Uid } from "../services/ids.ts";
import { FIXED } from "../services/limits.ts";
import { frame, time } from "./frame-encoders.ts";
import type { PayloadReader } from "./frame-fields.ts";
import type { Framed } from "./frames.ts";
import { settingsPayload } from "./settings-payload.ts";

/** Types of the frames that moderators send. */
export const MODERATION_TYPES = [
  "kick_member",
  "ban_member",
  "unban_member",
  "mute_member",
  "unmute_member",
  "update_room",
] as const;
type ModerationType = (typeof MODERATION_TYPES)[number];

/** What a moderator asks for, as the control plane is asked. */
export interface ModerateFrame extends Framed<ModerationType> {
  readonly room: RoomId;
  readonly act: NonNullable<MessageInitShape<typeof ModerateSchema>["act"]>;
}

/** Reads the payload of a moderator's frame. @throws RoomError invalid_argument. */
export function parseModeration(type: ModerationType, id: string | undefined, payload: PayloadReader): ModerateFrame {
  const roomId = payload.room("room_id");
  return { type, id, room: roomId, act: type === "update_room" ? update(roomId, payload) : act(type, roomId, payload) };
}

function act(
  type: Exclude<ModerationType, "update_room">,
  roomId: RoomId,
  payload: PayloadReader,
): ModerateFrame["act"] {
  const subject = { roomId, uid: required(payload), reason: payload.text("reason", REASON_UNITS) };
  switch (type) {
    case "kick_member":
      return { case: "kickMember", value: subject };
    case "ban_member":
      return { case: "banMember", value: { ...subject, ...expiration(payload) } };
    case "unban_member":
      return { case: "unbanMember", value: subject };
    case "mute_member":
      return { case: "muteMember", value: { ...subject, ...expiration(payload) } };
    case "unmute_member":
      return { case: "unmuteMember", value: subject };
  }
}

/** A reason's characters are counted by the control plane, for frames and RPCs alike; none takes more units than this. */
const REASON_UNITS = 2 * FIXED.reasonChars;

function required(payload: PayloadReader): Uid {
  const uid = payload.optionalUid("uid");
  if (uid === undefined) throw payload.missing("uid");
  return uid;
}

function expiration(payload: PayloadReader) {
  const ms = payload.integer("duration_ms", 0, FIXED.sanctionMs) ?? 0;
  return ms === 0 ? {} : { expiration: { case: "duration", value: durationFromMs(ms) } as const };
}

/** What is absent stays as it is. */
function update(roomId: RoomId, payload: PayloadReader): ModerateFrame["act"] {
  const frozen = payload.boolean("frozen");
  const slowModeMs = payload.integer("slow_mode_ms", 0, FIXED.slowModeMs);
  const paths = [...(frozen === undefined ? [] : ["frozen"]), ...(slowModeMs === undefined ? [] : ["slow_mode_ms"])];
  if (paths.length === 0) throw payload.missing("frozen");
  const room = { roomId, frozen: frozen ?? false, slowModeMs: slowModeMs ?? 0 };
  return { case: "updateRoom", value: { room, updateMask: { paths } } };
}

/** `member_muted` or `member_unmuted`. */
export function encodeMemberPolicy({ roomId, uid, muted, by, mutedUntil, reason }: MemberPolicy): string {
  const payload = { room_id: roomId, uid, by, until: time(mutedUntil), reason: reason || undefined };
  return frame(muted ? "member_muted" : "member_unmuted", payload);
}

/** `room_updated`. */
export function encodeRoomUpdated(room: Room): string {
  return frame("room_updated", settingsPayload(room));
}
