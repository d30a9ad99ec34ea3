import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Member, MemberSchema } from "../../gen/baccarat/v1/client_pb.ts";
import { EvictionSchema, type MemberEntry, MemberEntrySchema } from "../../gen/baccarat/v1/control_pb.ts";
import { authorize, type User } from "../auth.ts";
import { controlKeys } from "../control-keys.ts";
import { RoomError } from "../errors.ts";
import { directUsers, type RoomId, type Uid } from "../ids.ts";
import { FIXED, type Limits } from "../limits.ts";
import type { ControlFold } from "./control-fold.ts";
import type { ControlWriter } from "./control-writer.ts";
import { eachBounded } from "./each-bounded.ts";
import type { EntryOut, FoldedEntry } from "./folded.ts";
import { cutPage, decodePageToken, pageSize } from "./paging.ts";
import type { EntryId } from "./presence.ts";
import type { Rooms } from "./rooms.ts";
import type { Users } from "./users.ts";

/** Which connection something is about. */
export interface ConnectionId {
  readonly clientId: string;
  readonly incarnation: string;
}

/** A page of a room's members, in the order of their uids. */
export interface MembersPage {
  readonly members: readonly Member[];
  readonly nextPageToken: string;
  /** Members now. */
  readonly count: number;
}

/** Evictions written at once. */
const WRITES = 64;

/** Who is in which room: joining, leaving, being put out. */
export class Membership {
  readonly #fold: ControlFold;
  readonly #writer: ControlWriter;
  readonly #rooms: Rooms;
  readonly #users: Users;
  readonly #limits: Limits;
  readonly #now: () => number;

  constructor(options: {
    fold: ControlFold;
    writer: ControlWriter;
    rooms: Rooms;
    users: Users;
    limits: Limits;
    now: () => number;
  }) {
    this.#fold = options.fold;
    this.#writer = options.writer;
    this.#rooms = options.rooms;
    this.#users = options.users;
    this.#limits = options.limits;
    this.#now = options.now;
  }

  /**
   * What can be refused before anything is written.
   * @throws RoomError room_not_found, permission_denied, banned, too_many_rooms, room_full, unavailable.
   */
  checkJoin(user: User, connection: ConnectionId, room: RoomId): void {
    const entry = this.#fold.entry(room, connection.clientId);
    const isIn = entry !== undefined && entry.out === undefined;
    authorize(user, isIn ? "stay" : "join", this.#rooms.access(room, user.uid), this.#now());
    if (directUsers(room)) return;
    // Its edge answers an eviction with a leave before anything else: a join that comes before it was sent before it.
    if (entry?.out !== undefined) throw refusal(entry.out);
    if (entry !== undefined) return;
    const entries = this.#fold.connections.clients.get(connection.clientId)?.entries.size ?? 0;
    if (entries >= this.#limits.maxRoomsPerConnection) {
      throw new RoomError("too_many_rooms", `a connection may be in ${this.#limits.maxRoomsPerConnection} rooms`);
    }
    const members = this.#fold.room(room)?.members;
    if (members !== undefined && members.size >= this.#fold.presence.capacity(room) && !members.has(user.uid)) {
      throw refusal({ reason: "room_full", by: "" });
    }
  }

  /**
   * Whether a membership may go on that was granted by rights the user may have lost since.
   * @throws RoomError room_not_found, permission_denied, banned.
   */
  checkStay(user: User, room: RoomId): void {
    authorize(user, "stay", this.#rooms.access(room, user.uid), this.#now());
  }

  /**
   * Writes the entry; its place in the log decides, which requireIn tells afterwards. Whatever comes of it, who does not
   * get in has to `leave`, as the entry may be there.
   * @throws RoomError unavailable.
   */
  async enter(user: User, connection: ConnectionId, room: RoomId): Promise<void> {
    const now = timestampFromMs(this.#now());
    // A further connection of a member was not the one that entered.
    const enterTime = this.#fold.room(room)?.members.get(user.uid)?.view().joinTime ?? now;
    const entry = create(MemberEntrySchema, {
      roomId: room,
      profile: { uid: user.uid, username: user.username, avatarId: user.avatarId },
      ...connection,
      enterTime,
      writeTime: now,
    });
    await this.#writer.put(keyOf({ ...connection, room, uid: user.uid }), MemberEntrySchema, entry);
  }

  /** @throws RoomError room_full, room_not_found, banned, permission_denied, unavailable: why the connection is not in the room. */
  requireIn(user: User, room: RoomId, clientId: string): void {
    const entry = this.#fold.entry(room, clientId);
    if (entry !== undefined && entry.out === undefined) return;
    // Says of a ban when it ends.
    this.checkStay(user, room);
    throw refusal(entry?.out ?? { reason: "edge_lost", by: "" });
  }

  /** Ends a membership. Members hear `reason` when it was the user's last. @throws RoomError unavailable. */
  async leave(id: EntryId, reason: string): Promise<void> {
    await this.#writer.delete(keyOf(id), reason);
  }

  /** True when the user is in the room by any connection. */
  hasMember(room: RoomId, uid: Uid): boolean {
    return this.#fold.room(room)?.members.has(uid) ?? false;
  }

  /**
   * Takes a user out of a room, with all connections. What does not count any more is marked too, so that it does not
   * count again when the cause is gone.
   * @throws RoomError unavailable.
   */
  async evictUser(room: RoomId, uid: Uid, out: EntryOut): Promise<void> {
    const counting = this.#fold.room(room)?.members.get(uid)?.entries.values() ?? [];
    const registered = [...this.#fold.connections.ofUser(uid)].flatMap((client) => client.entries.get(room) ?? []);
    const unmarked = [...new Set([...counting, ...registered])].filter(({ value }) => value.evicted === undefined);
    await eachBounded(unmarked, WRITES, (entry) => this.#evict(entry, out));
  }

  /** Takes one connection out of a room. @throws RoomError unavailable. */
  async evictClient(room: RoomId, clientId: string, out: EntryOut): Promise<void> {
    const entry = this.#fold.entry(room, clientId);
    if (entry !== undefined) await this.#evict(entry, out);
  }

  /** True when the connection is in the room now. */
  isMember(room: RoomId, clientId: string): boolean {
    const entry = this.#fold.entry(room, clientId);
    return entry !== undefined && entry.out === undefined;
  }

  /**
   * A page of a room's members; of a direct conversation its two users.
   * @throws RoomError room_not_found, invalid_argument.
   */
  page(room: RoomId, asked: { pageSize: number; pageToken: string }): MembersPage {
    this.#rooms.access(room);
    const users = directUsers(room);
    if (users)
      return { members: users.map((uid) => this.#implicitMember(uid)), nextPageToken: "", count: users.length };
    const scope = ["members", room];
    const from = decodePageToken(scope, asked.pageToken) ?? "";
    const size = pageSize(asked.pageSize, FIXED.pageDefault, FIXED.pageSize);
    const members = this.#fold.room(room)?.members;
    const { items, nextPageToken } = cutPage(members?.from(from) ?? [], size, scope);
    return { members: items.map((member) => member.view()), nextPageToken, count: members?.size ?? 0 };
  }

  #implicitMember(uid: Uid): Member {
    const profile = this.#users.profile(uid);
    return create(MemberSchema, { uid, username: profile?.username ?? "", avatarId: profile?.avatarId ?? "" });
  }

  #evict(entry: FoldedEntry, out: EntryOut): Promise<void> {
    const evicted: MemberEntry = {
      ...entry.value,
      evicted: create(EvictionSchema, { reason: out.reason, by: out.by }),
    };
    return this.#writer.put(keyOf(entry), MemberEntrySchema, evicted);
  }
}

function keyOf({ room, uid, incarnation, clientId }: EntryId): string {
  return controlKeys.entry(room, uid, incarnation, clientId);
}

/** What a connection is told whose entry does not count. */
function refusal(out: EntryOut): RoomError {
  switch (out.reason) {
    case "room_full":
      return new RoomError("room_full", "the room is full");
    case "room_deleted":
      return new RoomError("room_not_found", "the room was deleted");
    case "edge_lost":
      return new RoomError("unavailable", "the edge was given up meanwhile");
    default:
      return new RoomError("permission_denied", "you were taken out of the room");
  }
}
