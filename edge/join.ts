import type { StoredEvent } from "../broker/broker.ts";
import type { Event } from "../gen/baccarat/v1/event_pb.ts";
import type { Joined } from "../gen/baccarat/v1/edge_service_pb.ts";
import { RoomError } from "../services/errors.ts";
import { directUsers, type RoomId } from "../services/ids.ts";
import { FIXED } from "../services/limits.ts";
import type { Connection } from "./connection.ts";
import type { CommandContext } from "./context.ts";
import { encodeEvent, encodeRoomJoined } from "./frame-encoders.ts";
import type { Position } from "./frames.ts";
import type { HostedRoom } from "./hosted-room.ts";
import type { Outcome } from "./room-link.ts";
import { within } from "./within.ts";

/** What a client asks for when it joins. */
export interface JoinRequest {
  readonly room: RoomId;
  /** Recover everything after this. */
  readonly since: Position | undefined;
  /** Latest events wanted when not recovering. */
  readonly history: number;
}

/** What a client is given of a room's past. */
interface Past {
  /** Position the client is at with them: it hears everything after. */
  readonly seq: number;
  readonly events: readonly string[];
  readonly recovered: boolean;
  readonly reason: string;
}

const NOTHING = { events: [], recovered: false, reason: "" };

/**
 * Makes a connection a member of a room and sends it room_joined, as the reply to frame `id` or as a push without one.
 *
 * The room is heard before membership is asked for, and the answer is taken in one turn: events up to its position come
 * from it or from the ring, events after it from the room. So there is neither hole nor duplicate where they meet.
 * @throws RoomError, also as a rejection.
 */
export async function joinRoom(
  context: CommandContext,
  connection: Connection,
  request: JoinRequest,
  id: string | undefined,
): Promise<void> {
  if (directUsers(request.room)) return await readConversation(context, connection, request, id);
  if (!connection.rooms.has(request.room) && connection.rooms.size >= context.limits.maxRoomsPerConnection) {
    throw new RoomError("too_many_rooms", `a connection may be in ${context.limits.maxRoomsPerConnection} rooms`);
  }
  const room = context.hub.claim(request.room);
  try {
    await within(FIXED.requestMs, room.opened);
    await ask(context, connection, request, id, room);
    context.metrics.joinsTotal.inc({ outcome: "ok" });
  } catch (error) {
    context.metrics.joinsTotal.inc({ outcome: error instanceof RoomError ? error.reason : "internal" });
    throw error;
  } finally {
    context.hub.release(room);
  }
}

/** Asks for membership, without events when the ring has them. */
async function ask(
  context: CommandContext,
  connection: Connection,
  request: JoinRequest,
  id: string | undefined,
  room: HostedRoom,
): Promise<void> {
  const wantEvents = fromRing(context, room, request) === undefined;
  const done = await answered(context, connection, request, wantEvents, (joined) =>
    admit(context, connection, request, id, room, joined, wantEvents),
  );
  if (done) return;
  // While the answer was on its way the ring proved to be behind it, or lost what it had.
  await answered(context, connection, request, true, (joined) =>
    admit(context, connection, request, id, room, joined, true),
  );
}

/** Sends the join and hands the answer over within the turn it arrives in: what follows it on the stream comes after it. */
function answered<T>(
  context: CommandContext,
  connection: Connection,
  request: JoinRequest,
  wantEvents: boolean,
  take: (joined: Joined) => T,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const { room, since, history } = request;
  const value = {
    clientId: connection.id,
    roomId: room,
    wantEvents,
    history,
    ...(since && { since: { epoch: since.epoch, seq: BigInt(since.seq) } }),
  };
  context.link.request({ case: "join", value }, (outcome) => {
    try {
      resolve(take(joinedOf(context, connection, room, outcome)));
    } catch (error) {
      reject(error);
    }
  });
  return promise;
}

function joinedOf(context: CommandContext, connection: Connection, room: RoomId, outcome: Outcome): Joined {
  if (outcome.ok && outcome.answer.case === "joined") return outcome.answer.value;
  const error = outcome.ok ? new RoomError("internal", "a join was answered by something else") : outcome.error;
  // It may have been carried out all the same; said after it on the stream, a leave undoes it.
  const isUnknown = error.reason === "unavailable" || error.reason === "internal";
  if (isUnknown && !connection.rooms.has(room)) context.roster.left(connection.id, room, "disconnected");
  throw error;
}

/** Makes the connection a member, in one turn. False when the answer lacks events that only the control plane has. */
function admit(
  context: CommandContext,
  connection: Connection,
  request: JoinRequest,
  id: string | undefined,
  room: HostedRoom,
  joined: Joined,
  hasEvents: boolean,
): boolean {
  const member = connection.rooms.get(room.id);
  // What is on its way to a member that joins once more belongs before the answer.
  if (member) room.flush(Number.POSITIVE_INFINITY);
  const past = hasEvents ? fromAnswer(context, room, request, joined) : fromRing(context, room, request);
  const wanted = request.since !== undefined || request.history > 0;
  if (past === undefined || (!hasEvents && wanted && Number(joined.seq) > room.feed.last)) return false;
  context.roster.joined(connection.id, room.id);
  if (!connection.isOpen) return true;
  room.policy = { frozen: joined.policy?.frozen ?? false, slowModeMs: joined.policy?.slowModeMs ?? 0 };
  room.presence.joined(joined.count, joined.members);
  const mutedUntilMs = Number(joined.mutedUntil?.seconds ?? 0n) * 1_000;
  const grant = { moderator: joined.moderator, mutedUntilMs };
  if (member) member.grant = grant;
  connection.enter(member ?? room.admit(connection, grant, past.seq));
  const { count, members } = joined;
  connection.send(encodeRoomJoined({ room: room.id, epoch: context.broker.epoch, count, members, ...past }, id));
  if (request.since) context.metrics.recoveriesTotal.inc({ outcome: past.recovered ? "recovered" : past.reason });
  return true;
}

/** The past as far as the ring has it: then the control plane need not read the log. */
function fromRing(context: CommandContext, room: HostedRoom, request: JoinRequest): Past | undefined {
  const { since, history } = request;
  const seq = room.feed.last;
  if (since) {
    if (since.epoch !== context.broker.epoch || since.seq > seq) return undefined;
    const page = room.ring.after(since.seq, FIXED.historyEvents);
    return page === undefined || page.hasMore ? undefined : { ...NOTHING, seq, events: page.events, recovered: true };
  }
  const page = history > 0 ? room.ring.before(undefined, history) : NOTHING;
  return page && { ...NOTHING, seq, events: page.events };
}

/** The past as the control plane read it, and what the room heard since. */
function fromAnswer(context: CommandContext, room: HostedRoom, request: JoinRequest, joined: Joined): Past {
  const { since, history } = request;
  const seq = Number(joined.seq);
  const events = joined.events.map((event) => stored(room.id, event));
  ...
}
