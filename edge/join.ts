import type { Joined } from "../gen/baccarat/v1/edge_service_pb.ts";
import { RoomError } from "../services/errors.ts";
import { directUsers, type RoomId } from "../services/ids.ts";
import { FIXED } from "../services/limits.ts";
import type { Span } from "../services/tracing.ts";
import { within } from "../services/within.ts";
import type { Connection } from "./connection.ts";
import type { CommandContext } from "./context.ts";
import { encodeEvent, encodeRoomJoined } from "./frame-encoders.ts";
import type { Position } from "./frames.ts";
import type { HostedRoom } from "./hosted-room.ts";
import { grantOf, mutedUntilMs } from "./member.ts";
import type { Outcome } from "./room-link.ts";
import { policyOf } from "./room-policy.ts";
import { storedEvent } from "./stored-event.ts";

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

/** How often is asked again when what was answered could not be used any more. */
const MAX_ATTEMPTS = 5;
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
  span?: Span,
): Promise<void> {
  if (directUsers(request.room)) return await readConversation(context, connection, request, id, span);
  if (!connection.rooms.has(request.room) && connection.rooms.size >= context.limits.maxRoomsPerConnection) {
    throw new RoomError("too_many_rooms", `a connection may be in ${context.limits.maxRoomsPerConnection} rooms`);
  }
  const room = context.hub.claim(request.room);
  try {
    if (!room.isCurrent) await within(FIXED.requestMs, room.current());
    await ask(context, connection, request, id, room, span);
    context.metrics.joinsTotal.inc({ outcome: "ok" });
  } catch (error) {
    context.metrics.joinsTotal.inc({ outcome: error instanceof RoomError ? error.reason : "internal" });
    throw error;
  } finally {
    context.hub.release(room);
  }
}

/** Asks for membership, without events when the ring has them. @throws RoomError, unavailable when it never met. */
async function ask(
  context: CommandContext,
  connection: Connection,
  request: JoinRequest,
  id: string | undefined,
  room: HostedRoom,
  span: Span | undefined,
): Promise<void> {
  const wantEvents = fromRing(context, room, request) === undefined;
  const attempt = (wantEvents: boolean): Promise<boolean> => {
    const { generation, known } = room.snapshot;
    const asked = { wantEvents, snapshotSeq: known ? room.feed.last : 0 };
    return answered(context, connection, request, asked, span, (joined) => {
      // Continuity was lost meanwhile, so that nobody knows the snapshot as of now.
      if (room.snapshot.generation !== generation) return false;
      return admit(context, connection, request, id, room, joined, wantEvents);
    });
  };
  if (await attempt(wantEvents)) return;
  // While the answer was on its way the ring lost what it had, or proved to be behind the log.
  for (let attempts = 1; attempts < MAX_ATTEMPTS; attempts++) if (await attempt(true)) return;
  if (!connection.rooms.has(room.id)) context.roster.left(connection.id, room.id, "disconnected");
  throw new RoomError("unavailable", "the room's past changed while it was read, again and again");
}

/** Sends the join and hands the answer over within the turn it arrives in: what follows it on the stream comes after it. */
function answered<T>(
  context: CommandContext,
  connection: Connection,
  request: JoinRequest,
  asked: { readonly wantEvents: boolean; readonly snapshotSeq: number },
  span: Span | undefined,
  take: (joined: Joined) => T,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const { room, since, history } = request;
  const value = {
    clientId: connection.id,
    roomId: room,
    wantEvents: asked.wantEvents,
    snapshotSeq: BigInt(asked.snapshotSeq),
    history,
    ...(since && { since: { epoch: since.epoch, seq: BigInt(since.seq) } }),
  };
  const answer = (outcome: Outcome): void => {
    try {
      resolve(take(joinedOf(context, connection, room, outcome)));
    } catch (error) {
      reject(error);
    }
  };
  context.link.request({ case: "join", value }, answer, span?.context);
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

/** Makes the connection a member, in one turn. False when the events wanted can only be had from the control plane. */
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
  const past = pastOf(context, room, request, joined, hasEvents, member !== undefined);
  if (past === undefined) return false;
  context.roster.joined(connection.id, room.id);
  if (!connection.isOpen) return true;
  const { policy, moderator, count, members, settings, muted, mutedUntil } = joined;
  const grant = grantOf(moderator, mutedUntilMs(joined));
  room.policy = policyOf(policy);
  room.presence.joined(count, members);
  if (member) member.grant = grant;
  if (!member) context.log.info({ client: connection.id, room: room.id }, "room joined");
  connection.enter(member ?? room.admit(connection.outbox, connection.user.uid, grant, past.seq));
  const standing = { settings, moderator, muted, mutedUntil };
  const { epoch } = context.broker;
  const given = joined.snapshot?.events.map((event) => storedEvent(room.id, event));
  const snapshot = room.snapshot.answer(given, past.seq, room.feed.last);
  connection.send(encodeRoomJoined({ room: room.id, epoch, count, members, ...standing, ...past, snapshot }, id));
  if (request.since) context.metrics.recoveriesTotal.inc({ outcome: past.recovered ? "recovered" : past.reason });
  return true;
}

function pastOf(
  context: CommandContext,
  room: HostedRoom,
  request: JoinRequest,
  joined: Joined,
  hasEvents: boolean,
  isMember: boolean,
): Past | undefined {
  const heard = room.feed.last;
  const stored = Number(joined.seq);
  // A newcomer may be ahead of the room: it is not told again what its answer holds. A member hears on where it is.
  const seq = isMember ? heard : Math.max(heard, stored);
  if (request.since === undefined && request.history === 0) return { ...NOTHING, seq };
  if (hasEvents) return fromAnswer(room, request, joined, seq, context.broker.epoch);
  return stored > heard ? undefined : fromRing(context, room, request);
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

/** The past as the control plane read it up to its position, and from there on as the room heard it, up to `seq`. */
function fromAnswer(room: HostedRoom, request: JoinRequest, joined: Joined, seq: number, epoch: string): Past {
  const { since, history } = request;
  const stored = Number(joined.seq);
  const read = joined.events.map((event) => storedEvent(room.id, event));
  const recovered = since !== undefined && joined.recovered;
  const from = recovered ? since.seq : (read[0]?.seq ?? stored + 1) - 1;
  if (stored >= room.ring.from) room.ring.prepend(from, read);
  const newer = room.ring.after(stored, FIXED.historyEvents);
  const complete = newer !== undefined && !newer.hasMore;
  const older = read.filter((event) => event.seq <= seq).map((event) => encodeEvent(event, epoch));
  const events = [...older, ...(newer?.events ?? [])];
  if (recovered && complete && events.length <= FIXED.historyEvents) return { seq, events, recovered, reason: "" };
  // A room so busy that the ring has lost what came since the answer has more than enough of what came later.
  const latest = complete ? events : (room.ring.before(undefined, history)?.events ?? []);
  const reason = recovered ? "too_many" : joined.reason;
  return { seq, events: history > 0 ? latest.slice(-history) : [], recovered: false, reason };
}

/** A conversation is always heard, so that joining it only shows its past. */
async function readConversation(
  context: CommandContext,
  connection: Connection,
  request: JoinRequest,
  id: string | undefined,
  span: Span | undefined,
): Promise<void> {
  await answered(
    context,
    connection,
    request,
    { wantEvents: true, snapshotSeq: 0 },
    span,
    ({ seq, count, members, events, recovered, reason }) => {
      const { epoch } = context.broker;
      const past = events.map((event) => encodeEvent(storedEvent(request.room, event), epoch));
      const room = request.room;
      connection.send(
        encodeRoomJoined({ room, epoch, seq: Number(seq), count, members, events: past, recovered, reason }, id),
      );
    },
  );
}
