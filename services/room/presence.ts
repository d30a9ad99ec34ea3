import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Member, MemberSchema } from "../../gen/baccarat/v1/client_pb.ts";
import type { MemberEntry, RoomRecord } from "../../gen/baccarat/v1/control_pb.ts";
import type { RoomId, Uid } from "../ids.ts";
import type { Connections } from "./connections.ts";
import type { ChangeListener, EntryOut, FoldedEntry, FoldedMember, FoldedRoom } from "./folded.ts";
import { OrderedMap } from "./ordered-map.ts";
import { endOf, type Standings } from "./standings.ts";

/** Which entry a line of the control log is about. */
export interface EntryId {
  readonly room: RoomId;
  readonly uid: Uid;
  readonly incarnation: string;
  readonly clientId: string;
}

/**
 * The part of the fold that decides who is in which room. An entry counts unless it was evicted, its edge was fenced, its
 * room was deleted, its user is banned, or its user came when the room was full. The first counting entry of a user is
 * `entered`, the end of the last one `exited`.
 *
 * An entry refused by a full room is deleted by whoever wrote it. Until then it waits, and counts once there is space:
 * replicas that began to read the log at different times thereby agree as soon as the deletions have landed.
 */
export class Presence {
  /** Rooms that exist as far as lists go: with settings or members, and not deleted. */
  readonly listed = new OrderedMap<FoldedRoom>();
  readonly #rooms = new Map<RoomId, Room>();
  readonly #connections: Connections;
  readonly #standings: Standings;
  readonly #emit: ChangeListener;
  readonly #maxMembers: number;
  #members = 0;
  #occupied = 0;

  constructor(options: {
    connections: Connections;
    standings: Standings;
    maxMembersPerRoom: number;
    emit: ChangeListener;
  }) {
    this.#connections = options.connections;
    this.#standings = options.standings;
    this.#maxMembers = options.maxMembersPerRoom;
    this.#emit = options.emit;
  }

  /** Members of all rooms together. */
  get members(): number {
    return this.#members;
  }

  /** Rooms that have members. */
  get occupied(): number {
    return this.#occupied;
  }

  room(id: RoomId): FoldedRoom | undefined {
    return this.#rooms.get(id);
  }

  /** Most members of a room. */
  capacity(id: RoomId): number {
    return this.#rooms.get(id)?.record?.room?.capacity || this.#maxMembers;
  }

  /** @param lenient true while the log's past is read: what is still there was accepted when it came. */
  putEntry(id: EntryId, value: MemberEntry, revision: number, lenient: boolean): void {
    const room = this.#open(id.room);
    let entry = room.entries.get(id.clientId);
    if (entry === undefined) {
      entry = { ...id, value, revision, out: NEW };
      room.entries.set(id.clientId, entry);
    } else {
      entry.value = value;
      entry.revision = revision;
    }
    this.#connections.link(entry);
    const out = this.#whyOut(room, entry, lenient);
    if (out !== undefined) {
      this.#takeOut(room, entry, out);
    } else if (entry.out !== undefined) {
      this.#count(room, entry);
    } else {
      room.members.get(entry.uid)?.changed();
      this.#emit({ kind: "entry", entry });
    }
  }

  /** @param reason what members hear when it was the user's last. */
  deleteEntry(id: EntryId, reason: string): void {
    const room = this.#rooms.get(id.room);
    const entry = room?.entries.get(id.clientId);
    if (room === undefined || entry?.incarnation !== id.incarnation) return;
    room.entries.delete(id.clientId);
    room.waiting.delete(entry);
    this.#connections.unlink(entry);
    this.#emit({ kind: "entry_gone", entry });
    if (entry.out === undefined) this.#uncount(room, entry, reason);
    this.#settle(room);
  }

  putRoom(id: RoomId, record: RoomRecord | undefined): void {
    const room = this.#open(id);
    room.record = record;
    this.#emit({ kind: "room", room });
    if (record?.deleted) this.#empty(room);
    else this.#admitWaiting(room);
    this.#settle(room);
  }

  /** Takes out a user who was banned just now. */
  banned(id: RoomId, uid: Uid): void {
    const room = this.#rooms.get(id);
    const ban = this.#standings.bans(id).get(uid);
    if (room === undefined || ban === undefined) return;
    const out = { reason: BANNED, by: ban.by };
    for (const entry of [...(room.members.get(uid)?.entries.values() ?? [])]) this.#takeOut(room, entry as Entry, out);
  }

  /** Takes out everything of a run of an edge that was given up. */
  fence(incarnation: string): void {
    for (const client of this.#connections.incarnations.get(incarnation)?.clients ?? []) {
      for (const id of client.entries.keys()) {
        const room = this.#rooms.get(id);
        const entry = room?.entries.get(client.clientId);
        if (room && entry && entry.out === undefined) this.#takeOut(room, entry, EDGE_LOST);
      }
    }
  }

  #whyOut(room: Room, entry: Entry, lenient: boolean): EntryOut | undefined {
    if (entry.value.evicted !== undefined) return entry.value.evicted;
    if (this.#connections.incarnations.get(entry.incarnation)?.fence !== undefined) return EDGE_LOST;
    if (room.record?.deleted) return ROOM_DELETED;
    const ban = this.#standings.bans(room.id).get(entry.uid);
    if (ban !== undefined && writtenAt(entry.value) < endOf(ban)) return { reason: BANNED, by: ban.by };
    if (lenient || entry.out === undefined || this.#hasSpace(room, entry)) return undefined;
    return ROOM_FULL;
  }

  #hasSpace(room: Room, entry: Entry): boolean {
    return room.members.size < this.capacity(room.id) || room.members.has(entry.uid);
  }

  #count(room: Room, entry: Entry): void {
    entry.out = undefined;
    room.waiting.delete(entry);
    room.hosts.set(entry.incarnation, (room.hosts.get(entry.incarnation) ?? 0) + 1);
    const known = room.members.get(entry.uid);
    const member = known ?? new RoomMember(entry.uid);
    member.entries.set(entry.clientId, entry);
    member.changed();
    this.#emit({ kind: "entry", entry });
    if (known !== undefined) return;
    room.members.set(entry.uid, member);
    this.#members++;
    if (room.members.size === 1) this.#occupied++;
    this.#settle(room);
    this.#emit({ kind: "entered", room, member });
  }

  #takeOut(room: Room, entry: Entry, out: EntryOut): void {
    const counted = entry.out === undefined;
    entry.out = out;
    if (out === ROOM_FULL) room.waiting.add(entry);
    else room.waiting.delete(entry);
    this.#emit({ kind: "entry", entry });
    // What a moderator wrote is for the one who was put out; the others hear that somebody decided it.
    const told = out.by === "" || out.reason === BANNED ? out.reason : "kicked";
    if (counted) this.#uncount(room, entry, told);
  }

  #uncount(room: Room, entry: Entry, reason: string): void {
    const hosted = (room.hosts.get(entry.incarnation) ?? 0) - 1;
    if (hosted > 0) room.hosts.set(entry.incarnation, hosted);
    else room.hosts.delete(entry.incarnation);
    const member = room.members.get(entry.uid);
    if (member === undefined) return;
    const seen = member.view();
    member.entries.delete(entry.clientId);
    member.changed();
    if (member.entries.size > 0) return;
    room.members.delete(entry.uid);
    this.#members--;
    if (room.members.size === 0) this.#occupied--;
    this.#emit({ kind: "exited", room, member: seen, reason });
    this.#admitWaiting(room);
    this.#settle(room);
  }

  #admitWaiting(room: Room): void {
    for (const entry of room.waiting) if (this.#whyOut(room, entry, false) === undefined) this.#count(room, entry);
  }

  /** Everybody goes at once: nobody is left to be told that the others went. */
  #empty(room: Room): void {
    room.hosts.clear();
    const out = [...room.entries.values()].filter((entry) => entry.out === undefined || entry.out === ROOM_FULL);
    for (const entry of out) {
      const counted = entry.out === undefined;
      entry.out = ROOM_DELETED;
      room.waiting.delete(entry);
      this.#emit({ kind: "entry", entry });
      if (counted) this.#uncount(room, entry, ROOM_DELETED.reason);
    }
  }

  #open(id: RoomId): Room {
    const known = this.#rooms.get(id);
    if (known !== undefined) return known;
    const room: Room = {
      id,
      record: undefined,
      members: new OrderedMap(),
      entries: new OrderedMap(),
      hosts: new Map(),
      waiting: new Set(),
    };
    this.#rooms.set(id, room);
    return room;
  }

  /** Keeps the lists of rooms in step. */
  #settle(room: Room): void {
    const listed = room.record === undefined ? room.members.size > 0 : !room.record.deleted;
    if (listed) this.listed.set(room.id, room);
    else this.listed.delete(room.id);
    if (room.record === undefined && room.entries.size === 0) this.#rooms.delete(room.id);
  }
}

interface Room extends FoldedRoom {
  record: RoomRecord | undefined;
  readonly members: OrderedMap<RoomMember>;
  readonly entries: OrderedMap<Entry>;
  readonly hosts: Map<string, number>;
  /** Entries the room was too full for, in the order of the log. */
  readonly waiting: Set<Entry>;
}

interface Entry extends FoldedEntry {
  value: MemberEntry;
  revision: number;
  out: EntryOut | undefined;
}

class RoomMember implements FoldedMember {
  readonly uid: Uid;
  readonly entries = new Map<string, FoldedEntry>();
  #view: Member | undefined;

  constructor(uid: Uid) {
    this.uid = uid;
  }

  /** To be called when an entry came, went or was written again. */
  changed(): void {
    this.#view = undefined;
  }

  view(): Member {
    this.#view ??= this.#build();
    return this.#view;
  }

  #build(): Member {
    const entries = [...this.entries.values()];
    const profile = entries.reduce((a, b) => (b.revision > a.revision ? b : a)).value.profile;
    const { enterTime } = entries.reduce((a, b) => (enteredAt(b.value) < enteredAt(a.value) ? b : a)).value;
    return create(MemberSchema, {
      uid: this.uid,
      username: profile?.username ?? "",
      avatarId: profile?.avatarId ?? "",
      ...(enterTime && { joinTime: enterTime }),
    });
  }
}

/** An entry that was never judged. */
const NEW: EntryOut = { reason: "", by: "" };
const EDGE_LOST: EntryOut = { reason: "edge_lost", by: "" };
const ROOM_DELETED: EntryOut = { reason: "room_deleted", by: "" };
const ROOM_FULL: EntryOut = { reason: "room_full", by: "" };
/** Why a banned user's entries do not count, in words that clients know. */
export const BANNED = "banned";

/** By the writer's clock, so that every replica comes to the same answer, whenever it reads. */
function writtenAt(value: MemberEntry): number {
  return value.writeTime === undefined ? 0 : timestampMs(value.writeTime);
}

function enteredAt(value: MemberEntry): number {
  return value.enterTime === undefined ? 0 : timestampMs(value.enterTime);
}
