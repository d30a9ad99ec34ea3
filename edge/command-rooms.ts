import { RoomError } from "../services/errors.ts";
import { directUsers, type RoomId } from "../services/ids.ts";
import type { Span } from "../services/tracing.ts";
import type { Connection } from "./connection.ts";
import type { CommandContext } from "./context.ts";
import { encodeAck, encodeMembers } from "./frame-encoders.ts";
import type { JoinFrame, LeaveFrame, MembersFrame } from "./frames.ts";
import { joinRoom } from "./join.ts";
import type { Member } from "./member.ts";

/** join_room: makes the client a member; of a direct conversation, shows the past. */
export function join(context: CommandContext, connection: Connection, frame: JoinFrame, span?: Span): Promise<void> {
  limitJoins(context, connection);
  return joinRoom(context, connection, frame, frame.id, span);
}

/** change_room: joins first, so that a failure leaves everything as it was. */
export async function change(
  context: CommandContext,
  connection: Connection,
  frame: JoinFrame,
  span?: Span,
): Promise<void> {
  limitJoins(context, connection);
  const before = connection.currentRoom;
  await joinRoom(context, connection, frame, frame.id, span);
  // A direct conversation does not become the current room, so nothing is left for it.
  const changed = before !== frame.room && connection.currentRoom === frame.room;
  if (before !== undefined && changed) leaveRoom(context, connection, before);
}

/** leave_room: done at once, since leaving needs nobody's consent. */
export function leave(context: CommandContext, connection: Connection, frame: LeaveFrame): void {
  if (!leaveRoom(context, connection, frame.room)) throw new RoomError("not_a_member", "you are not in this room");
  if (frame.id !== undefined) connection.send(encodeAck(frame.room, frame.id));
}

/** get_members: from what the edge knows, when that is everybody. */
export async function members(context: CommandContext, connection: Connection, frame: MembersFrame): Promise<void> {
  const { room, pageSize, pageToken } = frame;
  if (!directUsers(room)) requireMember(connection, room);
  const known = pageToken === "" ? context.hub.get(room)?.presence.all(pageSize) : undefined;
  if (known) {
    connection.send(encodeMembers({ room, count: known.length, members: known, nextPageToken: "" }, frame.id));
    return;
  }
  const value = { clientId: connection.id, roomId: room, pageSize, pageToken };
  const answer = await context.link.ask({ case: "readMembers", value });
  if (answer.case !== "members") throw new RoomError("internal", "members were answered by something else");
  connection.send(encodeMembers({ room, ...answer.value }, frame.id));
}

/** The connection's membership of a room. @throws RoomError not_a_member. */
export function requireMember(connection: Connection, room: RoomId): Member {
  const member = connection.rooms.get(room);
  if (member === undefined) throw new RoomError("not_a_member", "join the room first");
  return member;
}

/** @throws RoomError rate_limited: every join costs the whole cluster a write. */
function limitJoins({ joinRates }: CommandContext, { user }: Connection): void {
  const now = performance.now();
  if (joinRates.take(user.uid, now) !== undefined) return;
  const retryAfterMs = Math.ceil(joinRates.waitMs(user.uid, now));
  throw new RoomError("rate_limited", "you join rooms too fast", { retryAfterMs });
}

function leaveRoom(context: CommandContext, connection: Connection, room: RoomId): boolean {
  if (!connection.leave(room)) return false;
  context.roster.left(connection.id, room, "left");
  context.log.info({ client: connection.id, room, reason: "left" }, "room left");
  return true;
}
