import { create } from "@bufbuild/protobuf";
import { ClientEntrySchema } from "../../gen/baccarat/v1/control_pb.ts";
import {
  type Connect,
  type Delete,
  type Disconnect,
  DoneSchema,
  type EdgeCommand,
  EventsPageSchema,
  type Hold,
  type Join,
  JoinedSchema,
  type Leave,
  MembersPageSchema,
  type ReadEvents,
  type ReadMembers,
  type Reply,
} from "../../gen/baccarat/v1/edge_service_pb.ts";
import type { Event } from "../../gen/baccarat/v1/event_pb.ts";
import { authorize, isModerator, type RoomAccess, type User } from "../auth.ts";
import { RoomError } from "../errors.ts";
import { directUsers, parseRoomId, parseUid, type RoomId, type Uid } from "../ids.ts";
import { FIXED } from "../limits.ts";
import type { Span } from "../tracing.ts";
import type { AttachModeration } from "./attach-moderation.ts";
import type { AttachedClient, AttachSession } from "./attach-session.ts";
import type { Clients } from "./clients.ts";
import type { ControlFold } from "./control-fold.ts";
import type { DirectCommands } from "./direct-commands.ts";
import type { History, Recovery } from "./history.ts";
import type { Membership } from "./membership.ts";
import type { Messages } from "./messages.ts";
import { BANNED } from "./presence.ts";
import type { Rooms } from "./rooms.ts";
import type { Snapshots } from "./snapshots.ts";
import { untilStored } from "./until-stored.ts";

type Result = Reply["result"];
/** Takes the one answer to a command. */
export interface Answer {
  /** What the command is traced as; undefined when it is not. */
  readonly span?: Span | undefined;
  done(result: Result): void;
  failed(error: unknown): void;
}

const DONE: Result = { case: "done", value: create(DoneSchema) };

/**
 * What edges ask for, one method per command. What an edge says of its own connections is not refused but carried out,
 * however long the store takes: it is a fact.
 */
export class AttachCommands {
  readonly #fold: ControlFold;
  readonly #rooms: Rooms;
  readonly #membership: Membership;
  readonly #clients: Clients;
  readonly #history: History;
  readonly #snapshots: Snapshots;
  readonly #messages: Messages;
  readonly #direct: DirectCommands;
  readonly #moderation: AttachModeration;

  constructor(options: {
    fold: ControlFold;
    rooms: Rooms;
    membership: Membership;
    clients: Clients;
    history: History;
    snapshots: Snapshots;
    messages: Messages;
    direct: DirectCommands;
    moderation: AttachModeration;
  }) {
    this.#fold = options.fold;
    this.#rooms = options.rooms;
    this.#membership = options.membership;
    this.#clients = options.clients;
    this.#history = options.history;
    this.#snapshots = options.snapshots;
    this.#messages = options.messages;
    this.#direct = options.direct;
    this.#moderation = options.moderation;
  }

  /**
   * Carries a command out; commands of one client must come one after the other.
   * @param late true when nobody waits for the answer any more.
   * @throws what is to be answered, unless `answer` was called.
   */
  async execute(session: AttachSession, command: EdgeCommand["command"], late: boolean, answer: Answer): Promise<void> {
    switch (command.case) {
      case "connect":
        return answer.done(await this.#connect(session, command.value));
      case "disconnect":
        return answer.done(await this.#disconnect(session, command.value));
      case "leave":
        return answer.done(await this.#leave(session, command.value));
      case "hold":
        return this.#hold(session, command.value);
    }
    if (late) throw new RoomError("unavailable", "the control plane is too slow");
    switch (command.case) {
      case "join":
        return this.#join(session, command.value, answer);
      case "readMembers":
        return answer.done(this.#readMembers(session, command.value));
      case "readEvents":
        return answer.done(await this.#readEvents(session, command.value));
      case "delete":
        return answer.done(await this.#delete(session, command.value, answer.span));
      case "moderate":
        await this.#moderation.execute(session, command.value);
        return answer.done(DONE);
      case "openConversation":
        return answer.done(await this.#direct.openConversation(session, command.value));
      case "catchUp":
        return answer.done(await this.#direct.catchUp(session, command.value));
      case "listConversations":
        return answer.done(await this.#direct.listConversations(session, command.value));
      case "setBlock":
        return answer.done(await this.#direct.setBlock(session, command.value));
      default:
        throw new RoomError("invalid_argument", "a command this version does not know");
    }
  }

  /** Deletes what the control log has of this edge and the edge did not say. */
  async forget(session: AttachSession, clientId: string): Promise<void> {
    const client = session.clients.get(clientId);
    const connection = { clientId, incarnation: session.incarnation };
    if (client === undefined) {
      return untilStored(session.signal, () => this.#clients.unregister(connection, "left"));
    }
    for (const entry of [...(this.#fold.connections.clients.get(clientId)?.entries.values() ?? [])]) {
      if (client.rooms.has(entry.room)) continue;
      await untilStored(session.signal, () => this.#membership.leave(entry, "left"));
    }
  }

  async #connect(session: AttachSession, connect: Connect): Promise<Result> {
    const { client: shown, sessionHash } = connect;
    const uid = parseUid(shown?.uid);
    if (shown === undefined || uid === undefined || shown.clientId === "") throw invalid("client");
    const client = session.connected(shown.clientId, userOf(connect, uid));
    const { edgeId, incarnation } = session;
    const entry = create(ClientEntrySchema, { client: { ...shown, edgeId }, incarnation, sessionHash });
    await untilStored(session.signal, async () => {
      if (await this.#clients.register(uid, entry)) client.isNew = true;
    });
    // A newer token may allow less than the one before.
    for (const [room, state] of client.rooms) if (state === "joined") await this.#recheck(session, client, room);
    // Closed while the edge was cut off: it has not heard of it.
    const closed = this.#closure(client);
    if (closed !== undefined) session.disconnect(client, closed);
    return DONE;
  }

  async #disconnect(session: AttachSession, { clientId, reason }: Disconnect): Promise<Result> {
    const known = this.#fold.connections.clients.get(clientId);
    session.clients.get(clientId)?.rooms.clear();
    if (known?.incarnation === session.incarnation) {
      await untilStored(session.signal, () => this.#clients.unregister(known, reason || "left"));
    }
    session.clients.delete(clientId);
    return DONE;
  }

  async #leave(session: AttachSession, leave: Leave): Promise<Result> {
    const room = parsedRoom(leave.roomId);
    session.clients.get(leave.clientId)?.rooms.delete(room);
    const entry = this.#fold.entry(room, leave.clientId);
    if (entry?.incarnation === session.incarnation) {
      await untilStored(session.signal, () => this.#membership.leave(entry, leave.reason || "left"));
    }
    return DONE;
  }

  /** A membership the edge goes on with: kept as it is, or taken up again, but never against a decision. */
  async #hold(session: AttachSession, hold: Hold): Promise<void> {
    const room = parsedRoom(hold.roomId);
    const client = session.client(hold.clientId);
    const { user, connection } = client;
    if (directUsers(room)) throw invalid("room_id");
    client.rooms.set(room, "joined");
    const out = this.#fold.entry(room, hold.clientId)?.out;
    if (out !== undefined) return session.evict(client, room, out);
    if (this.#membership.isMember(room, hold.clientId)) return this.#recheck(session, client, room);
    try {
      this.#membership.checkJoin(user, connection, room);
      client.rooms.set(room, "joining");
      await untilStored(session.signal, () => this.#membership.enter(user, connection, room));
      this.#membership.requireIn(user, room, hold.clientId);
      client.rooms.set(room, "joined");
    } catch (error) {
      if (!(error instanceof RoomError)) throw error;
      session.evict(client, room, {
        reason: error.reason === "room_not_found" ? "room_deleted" : error.reason,
        by: error.reason === BANNED ? (this.#fold.standings.bans(room).get(user.uid)?.by ?? "") : "",
      });
    }
  }

  /** Takes a member out whose rights no longer allow it to be one. */
  async #recheck(session: AttachSession, { user, connection }: AttachedClient, room: RoomId): Promise<void> {
    try {
      this.#membership.checkStay(user, room);
    } catch (error) {
      if (!(error instanceof RoomError)) throw error;
      const out = { reason: error.reason, by: "" };
      await untilStored(session.signal, () => this.#membership.evictClient(room, connection.clientId, out));
    }
  }

  async #join(session: AttachSession, join: Join, answer: Answer): Promise<void> {
    const room = parsedRoom(join.roomId);
    const client = session.client(join.clientId);
    const { user, connection } = client;
    if (this.#closure(client) !== undefined) throw new RoomError("permission_denied", "the connection is being closed");
    this.#membership.checkJoin(user, connection, room);
    const direct = directUsers(room) !== undefined;
    const already = client.rooms.get(room) === "joined" && this.#membership.isMember(room, join.clientId);
    if (!direct && !already) client.rooms.set(room, "joining");
    try {
      // Both run to their end, so that the entry is not deleted before it was written.
      const [read, entered] = await Promise.allSettled([
        this.#read(room, join),
        direct || already ? undefined : this.#membership.enter(user, connection, room),
      ]);
      if (entered.status === "rejected") throw entered.reason;
      if (!direct) this.#membership.requireIn(user, room, join.clientId);
      if (read.status === "rejected") throw read.reason;
      if (!direct) client.rooms.set(room, "joined");
      answer.done(this.#joined(user, room, ...read.value));
    } catch (error) {
      if (direct || already) throw error;
      client.rooms.delete(room);
      answer.failed(error);
    }
    if (direct || already || client.rooms.has(room)) return;
    const id = { ...connection, room, uid: user.uid };
    await untilStored(session.signal, () => this.#membership.leave(id, "left"));
  }

  /** The past a join asks for, and the room's snapshot as of the same position unless the edge has it. */
  async #read(room: RoomId, join: Join): Promise<[Recovery, Event[] | undefined]> {
    const recover = () =>
      this.#history.recover(room, join.wantEvents ? join.since : undefined, join.wantEvents ? join.history : 0);
    if (directUsers(room)) return [await recover(), undefined];
    const [read, { events, changed }] = await this.#snapshots.asOf(room, recover);
    return [read, changed > Number(join.snapshotSeq) ? events : undefined];
  }

  #joined(user: User, room: RoomId, read: Recovery, snapshot: Event[] | undefined): Result {
    const { members, count } = this.#membership.page(room, { pageSize: FIXED.membersShown, pageToken: "" });
    const mute = this.#fold.standings.mutes(room).get(user.uid);
    const settings = this.#rooms.settings(room);
    const value = create(JoinedSchema, {
      policy: this.#rooms.policy(room),
      moderator: directUsers(room) === undefined && isModerator(user, room),
      count,
      members: [...members],
      epoch: this.#history.epoch,
      seq: BigInt(read.seq),
      events: [...read.events],
      recovered: read.recovered,
      reason: read.reason,
      muted: mute !== undefined,
      ...(mute?.expireTime && { mutedUntil: mute.expireTime }),
      ...(settings && { settings }),
      ...(snapshot && { snapshot: { events: snapshot } }),
    });
    return { case: "joined", value };
  }

  #readMembers(session: AttachSession, read: ReadMembers): Result {
    const { user, access } = this.#asking(session, read);
    authorize(user, "read", access);
    const { members, nextPageToken, count } = this.#membership.page(access.room, read);
    return { case: "members", value: create(MembersPageSchema, { members: [...members], nextPageToken, count }) };
  }

  async #readEvents(session: AttachSession, read: ReadEvents): Promise<Result> {
    const { user, access } = this.#asking(session, read);
    authorize(user, "read", access);
    const { events, hasMore } = await this.#history.read(access.room, read);
    return { case: "events", value: create(EventsPageSchema, { events, hasMore, epoch: this.#history.epoch }) };
  }

  async #delete(session: AttachSession, command: Delete, span: Span | undefined): Promise<Result> {
    const { user, access } = this.#asking(session, command);
    return { case: "published", value: await this.#messages.delete(user, access, command.seq, span) };
  }

  /** Who asks, and what is known of the room in question. */
  #asking(
    session: AttachSession,
    { clientId, roomId }: { clientId: string; roomId: string },
  ): { user: User; access: RoomAccess } {
    const room = parsedRoom(roomId);
    const { user } = session.client(clientId);
    return {
      user,
      access: { ...this.#rooms.access(room, user.uid), member: this.#membership.isMember(room, clientId) },
    };
  }

  #closure({ connection }: AttachedClient) {
    return this.#fold.connections.clients.get(connection.clientId)?.value?.closed;
  }
}

function userOf({ client, roles, rooms, roomsLimited }: Connect, uid: Uid): User {
  return {
    kind: "user",
    uid,
    username: client?.username ?? "",
    avatarId: client?.avatarId ?? "",
    guest: client?.guest ?? true,
    roles,
    rooms: roomsLimited ? rooms : undefined,
  };
}

function parsedRoom(roomId: string): RoomId {
  return parseRoomId(roomId) ?? raise(invalid("room_id"));
}

function invalid(field: string): RoomError {
  return new RoomError("invalid_argument", `${field} is malformed`, { metadata: { field } });
}

function raise(error: RoomError): never {
  throw error;
}
