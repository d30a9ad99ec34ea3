import { create } from "@bufbuild/protobuf";
import type { Member } from "../../gen/baccarat/v1/client_pb.ts";
import type { Closure, NoticeRecord } from "../../gen/baccarat/v1/control_pb.ts";
import {
  AttachedSchema,
  BlockChangedSchema,
  type CaughtUp,
  type ConversationsPage,
  DigestSchema,
  DisconnectedSchema,
  DrainSchema,
  EvictedSchema,
  FencedSchema,
  type Joined,
  MemberEnteredSchema,
  MemberExitedSchema,
  type MemberPolicy,
  MemberPolicySchema,
  NoticeSchema,
  type Reply,
  ReplySchema,
  type Revocation,
  RevokedSchema,
  RoomChangedSchema,
  type RoomPolicy,
  RoomSnapshotSchema,
} from "../../gen/baccarat/v1/edge_service_pb.ts";
import type { Mute } from "../../gen/baccarat/v1/moderation_pb.ts";
import type { Room } from "../../gen/baccarat/v1/room_pb.ts";
import { type RoomError, toErrorReason } from "../errors.ts";
import type { RoomId, Uid } from "../ids.ts";
import type { SizedUpdate } from "./attach-outbox.ts";
import type { Head } from "./digests.ts";
import type { EntryOut } from "./folded.ts";
import { eventBytes } from "./stored-events.ts";

/** What edges are told, each with at least its size. */

/** At least what tags, lengths, numbers, timestamps, and ids that are bounded by their grammar take. */
const SMALL = 320;

export function memberEntered(roomId: RoomId, member: Member, count: number): SizedUpdate {
  const value = create(MemberEnteredSchema, { roomId, member, count });
  return { update: { case: "memberEntered", value }, bytes: SMALL + memberBytes(member) };
}

export function memberExited(roomId: RoomId, member: Member, count: number, reason: string): SizedUpdate {
  const value = create(MemberExitedSchema, { roomId, member, count, reason });
  return { update: { case: "memberExited", value }, bytes: SMALL + memberBytes(member) + textBytes(reason) };
}

export function evicted(clientId: string, roomId: RoomId, out: EntryOut): SizedUpdate {
  const value = create(EvictedSchema, { clientId, roomId, reason: out.reason, by: out.by });
  return { update: { case: "evicted", value }, bytes: SMALL + textBytes(out.reason) + textBytes(out.by) };
}

export function disconnected(clientId: string, { closeCode, reason }: Closure): SizedUpdate {
  const value = create(DisconnectedSchema, { clientId, closeCode, reason });
  return { update: { case: "disconnected", value }, bytes: SMALL + textBytes(reason) };
}

export function roomPolicy(value: RoomPolicy): SizedUpdate {
  return { update: { case: "roomPolicy", value }, bytes: SMALL };
}

export function roomChanged(room: Room): SizedUpdate {
  const texts = [room.title, ...Object.entries(room.metadata).flat()];
  const value = create(RoomChangedSchema, { room });
  return { update: { case: "roomChanged", value }, bytes: SMALL + sum(texts, textBytes) };
}

/** What a user may do in a room; `by` and `reason` are of whoever decided, for the members. */
export function policyOf(
  roomId: RoomId,
  uid: Uid,
  mute: Mute | undefined,
  decision: { by: string; reason: string } = NOBODY,
): MemberPolicy {
  const until = mute?.expireTime === undefined ? {} : { mutedUntil: mute.expireTime };
  return create(MemberPolicySchema, { roomId, uid, muted: mute !== undefined, ...decision, ...until });
}

export function memberPolicy(value: MemberPolicy): SizedUpdate {
  return { update: { case: "memberPolicy", value }, bytes: policyBytes(value) };
}

export function roomSnapshot(
  policy: RoomPolicy,
  { members, count, muted }: { members: readonly Member[]; count: number; muted: readonly MemberPolicy[] },
): SizedUpdate {
  const value = create(RoomSnapshotSchema, { policy, members: [...members], count, muted: [...muted] });
  const bytes = SMALL + sum(members, memberBytes) + sum(muted, policyBytes);
  return { update: { case: "roomSnapshot", value }, bytes };
}

export function attached(epoch: string): SizedUpdate {
  return { update: { case: "attached", value: create(AttachedSchema, { epoch }) }, bytes: SMALL };
}

export function fenced(): SizedUpdate {
  return { update: { case: "fenced", value: create(FencedSchema) }, bytes: SMALL };
}

export function drain(): SizedUpdate {
  return { update: { case: "drain", value: create(DrainSchema) }, bytes: SMALL };
}

/** @param begins true for the first of all there are. */
export function revoked(revocations: readonly Revocation[], begins: boolean): SizedUpdate {
  const value = create(RevokedSchema, { revocations: [...revocations], begins });
  return { update: { case: "revoked", value }, bytes: SMALL * (1 + revocations.length) };
}

export function notice({ message, sent }: NoticeRecord): SizedUpdate {
  const value = create(NoticeSchema, { message, ...(sent && { sent }) });
  return { update: { case: "notice", value }, bytes: SMALL + textBytes(message) };
}

/** `covers` says of which stretch of the log all heads of the edge's users' conversations were told. */
export function digest(heads: readonly Head[], covers?: { readonly after: number; readonly seq: number }): SizedUpdate {
  const value = create(DigestSchema, {
    heads: heads.map(({ room, seq }) => ({ roomId: room, seq: BigInt(seq) })),
    ...(covers && { after: BigInt(covers.after), seq: BigInt(covers.seq) }),
  });
  return { update: { case: "digest", value }, bytes: SMALL + sum(heads, ({ room }) => room.length + 16) };
}

export function blockChanged(uid: Uid, blockedUid: Uid, blocked: boolean): SizedUpdate {
  const value = create(BlockChangedSchema, { uid, blockedUid, blocked });
  return { update: { case: "blockChanged", value }, bytes: SMALL };
}

export function reply(requestId: number, result: Reply["result"]): SizedUpdate {
  const value = create(ReplySchema, { requestId, result });
  return { update: { case: "reply", value }, bytes: SMALL + resultBytes(result) };
}

export function failure({ reason, message, retryAfterMs }: RoomError): Reply["result"] {
  // A fraction cannot be encoded, and would end the stream of everybody.
  const value = { reason: toErrorReason(reason), message, retryAfterMs: Math.ceil(retryAfterMs) };
  return create(ReplySchema, { result: { case: "failure", value } }).result;
}

function resultBytes(result: Reply["result"]): number {
  switch (result.case) {
    case "joined":
      return joinedBytes(result.value);
    case "members":
      return sum(result.value.members, memberBytes) + result.value.nextPageToken.length;
    case "events":
      return sum(result.value.events, eventBytes);
    case "published":
      return eventBytes(result.value);
    case "caughtUp":
      return caughtUpBytes(result.value);
    case "conversations":
      return conversationsBytes(result.value.conversations) + result.value.nextPageToken.length;
    case "failure":
      return textBytes(result.value.message);
    default:
      return 0;
  }
}

function joinedBytes({ members, events, snapshot }: Joined): number {
  return SMALL + sum(members, memberBytes) + sum(events, eventBytes) + sum(snapshot?.events ?? [], eventBytes);
}

function caughtUpBytes({ conversations, events, truncated }: CaughtUp): number {
  return conversationsBytes(conversations) + sum(events, eventBytes) + sum(truncated, (room) => room.length + 4);
}

function conversationsBytes(conversations: ConversationsPage["conversations"]): number {
  return sum(conversations, ({ roomId, uid, username }) => 48 + roomId.length + uid.length + textBytes(username));
}

const NOBODY = { by: "", reason: "" };

function policyBytes({ by, reason }: MemberPolicy): number {
  return SMALL + textBytes(by) + textBytes(reason);
}

function memberBytes({ uid, username, avatarId }: Member): number {
  return 48 + uid.length + textBytes(username) + textBytes(avatarId);
}

/** No UTF-16 unit takes more than three bytes of UTF-8. */
function textBytes(text: string): number {
  return 3 * text.length;
}

function sum<T>(items: readonly T[], bytes: (item: T) => number): number {
  return items.reduce((total, item) => total + bytes(item), 0);
}
