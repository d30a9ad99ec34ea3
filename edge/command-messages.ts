import { create } from "@bufbuild/protobuf";
import type { HistoryRange, StoredEvent } from "../broker/broker.ts";
import { SignalSchema } from "../gen/baccarat/v1/event_pb.ts";
import { authorize, type RoomAccess } from "../services/auth.ts";
import { RoomError } from "../services/errors.ts";
import { directRoom, directUsers, messageId, type RoomId, type Uid } from "../services/ids.ts";
import { FIXED } from "../services/limits.ts";
import type { PublishedEvent } from "../services/publisher.ts";
import type { Span } from "../services/tracing.ts";
import { requireMember } from "./command-rooms.ts";
import type { Connection } from "./connection.ts";
import type { CommandContext } from "./context.ts";
import { encodeAck, encodeEvent, encodeHistory, encodeStoredAck } from "./frame-encoders.ts";
import type { DeleteFrame, HistoryFrame, SendFrame, TypingFrame } from "./frames.ts";
import type { HostedRoom } from "./hosted-room.ts";
import type { Member } from "./member.ts";
import type { Ring, RingPage } from "./ring.ts";
import { storedEvent } from "./stored-event.ts";

/** send_message: to a room, by the membership its join gave, or to a user. Acknowledged once it is stored. */
export function send(context: CommandContext, connection: Connection, frame: SendFrame, span?: Span): Promise<void> {
  const toUid = frame.toUid ?? (frame.room && otherUser(connection, frame.room));
  if (toUid !== undefined) return sendDirect(context, connection, frame, toUid, span);
  const room = frame.room ?? connection.currentRoom;
  if (room === undefined) throw new RoomError("invalid_argument", "you are in no room: name one, or join one first");
  const member = connection.rooms.get(room);
  const publishNow = () =>
    publish(context, connection, frame, { access: accessOf(room, member), toUid: "", hosted: member?.room, span });
  const slowModeMs = member?.room.policy.slowModeMs ?? 0;
  if (member === undefined || slowModeMs === 0 || member.grant.moderator) return publishNow();
  return member.room.slowMode.pace(connection.user.uid, slowModeMs, publishNow);
}

/** delete_message: decided by the control plane, which can read whose message it is. */
export async function remove(
  context: CommandContext,
  connection: Connection,
  frame: DeleteFrame,
  span?: Span,
): Promise<void> {
  const { room, seq } = frame;
  const value = { clientId: connection.id, roomId: room, seq: BigInt(seq) };
  const answer = await context.link.ask({ case: "delete", value }, span?.context);
  if (answer.case !== "published") throw new RoomError("internal", "a deletion was answered by something else");
  if (frame.id === undefined) return;
  const deletion = Number(answer.value.seq);
  const id = messageId(context.broker.epoch, deletion);
  connection.send(encodeStoredAck({ room, messageId: id, seq: deletion, sent: answer.value.sent }, frame.id));
}

/** get_history: from the ring when it reaches back that far, else by the control plane. */
export async function history(context: CommandContext, connection: Connection, frame: HistoryFrame): Promise<void> {
  const { room, range } = frame;
  const { epoch } = context.broker;
  const hosted = directUsers(room) ? undefined : requireMember(connection, room).room;
  const known = hosted && pageOfRing(hosted, range);
  if (known) {
    connection.send(encodeHistory({ room, epoch, ...known }, frame.id));
    return;
  }
  const forward = "after" in range;
  const value = {
    clientId: connection.id,
    roomId: room,
    beforeSeq: BigInt(forward ? 0 : (range.before ?? 0)),
    afterSeq: BigInt(forward ? range.after : 0),
    forward,
    limit: range.limit,
  };
  const ringFrom = hosted?.ring.from;
  const answer = await context.link.ask({ case: "readEvents", value });
  if (answer.case !== "events") throw new RoomError("internal", "history was answered by something else");
  const { hasMore } = answer.value;
  const read = answer.value.events.map((event) => storedEvent(room, event));
  // What the ring lost meanwhile may be missing in between.
  if (hosted && !forward && hosted.ring.from === ringFrom)
    keepInRing(hosted.ring, ringFrom, range.before, read, hasMore);
  const events = read.map((stored) => encodeEvent(stored, epoch));
  connection.send(encodeHistory({ room, epoch, events, hasMore }, frame.id));
}

/** typing: heard by the members of a room, stored nowhere. For those who may write. */
export function typing(context: CommandContext, connection: Connection, frame: TypingFrame): void {
  const member = requireMember(connection, frame.room);
  authorize(connection.user, "publish", accessOf(frame.room, member));
  const now = performance.now();
  const waitMs = member.typedAt === undefined ? 0 : member.typedAt + FIXED.typingMs - now;
  if (waitMs > 0) throw new RoomError("rate_limited", "once in two seconds is enough", { retryAfterMs: waitMs });
  member.typedAt = now;
  const { uid, username } = connection.user;
  const body = { case: "typing", value: { uid, username } } as const;
  const signal = create(SignalSchema, { roomId: frame.room, body });
  context.broker.signal(frame.room, signal);
  if (frame.id !== undefined) connection.send(encodeAck(frame.room, frame.id));
}

/** What decides whether a client may write in a room: as its join and what was told since have it. */
function accessOf(room: RoomId, member: Member | undefined): RoomAccess {
  if (member === undefined) return { room, member: false };
  const { frozen } = member.room.policy;
  return { room, member: true, frozen, mutedUntilMs: member.grant.mutedUntilMs };
}

/** The other user of a direct conversation; undefined for a room. @throws RoomError permission_denied. */
function otherUser(connection: Connection, room: RoomId): Uid | undefined {
  const users = directUsers(room);
  if (users === undefined) return undefined;
  const { uid } = connection.user;
  if (!users.includes(uid)) throw new RoomError("permission_denied", "this is a conversation of two others");
  return users[0] === uid ? users[1] : users[0];
}

async function sendDirect(
  context: CommandContext,
  connection: Connection,
  frame: SendFrame,
  toUid: Uid,
  span: Span | undefined,
): Promise<void> {
  const { uid } = connection.user;
  const room = directRoom(uid, toUid);
  if (room === undefined) {
    throw new RoomError("invalid_argument", "to_uid is yourself", { metadata: { field: "to_uid" } });
  }
  await context.directPermits.need(connection.id, uid, toUid);
  await publish(context, connection, frame, { access: { room }, toUid, hosted: undefined, span });
}

function publish(
  context: CommandContext,
  connection: Connection,
  frame: SendFrame,
  to: {
    readonly access: RoomAccess;
    /** The other user of a conversation, empty for a room. */
    readonly toUid: string;
    readonly hosted: HostedRoom | undefined;
    readonly span: Span | undefined;
  },
): Promise<void> {
  const { access, toUid, hosted, span } = to;
  const { message, imageUrl, from, id } = frame;
  const content = { message, imageUrl, from, toUid, key: frame.clientMsgId || id || "" };
  const startedAt = performance.now();
  const { metrics } = context;
  const publishing = context.publisher.sendMessage(connection.user, access, content, connection, span);
  hosted?.publishing();
  return publishing.then(
    (published) => {
      metrics.publishSeconds.observe((performance.now() - startedAt) / 1_000);
      metrics.publishesTotal.inc({ outcome: published.duplicate ? "duplicate" : "ok" });
      hosted?.published(published.seq);
      if (id !== undefined) connection.send(storedAck(context, access.room, published, id));
    },
    (error: unknown) => {
      metrics.publishesTotal.inc({ outcome: "error" });
      hosted?.published();
      throw error;
    },
  );
}

function storedAck(context: CommandContext, room: RoomId, published: PublishedEvent, id: string): string {
  const { seq, duplicate } = published;
  const sent = published.event.sent;
  return encodeStoredAck({ room, messageId: messageId(context.broker.epoch, seq), seq, sent, duplicate }, id);
}

function pageOfRing(room: HostedRoom, range: HistoryRange): RingPage | undefined {
  // An event that was acknowledged here may still be on its way back: whoever wrote it must find it.
  if (room.feed.last < room.storedSeq) return undefined;
  return "after" in range ? room.ring.after(range.after, range.limit) : room.ring.before(range.before, range.limit);
}

/** What was read right before the ring's beginning, `ringFrom`, makes the ring reach back further. */
function keepInRing(
  ring: Ring,
  ringFrom: number,
  before: number | undefined,
  read: readonly StoredEvent[],
  hasMore: boolean,
): void {
  if (before !== undefined && before <= ringFrom) return;
  const [first] = read;
  ring.prepend(first ? first.seq - 1 : ringFrom, read, !hasMore);
}
