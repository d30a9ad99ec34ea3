import { create, fromBinary } from "@bufbuild/protobuf";
import { type FieldMask, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Broker } from "../../broker/broker.ts";
import { type RoomRecord, RoomRecordSchema } from "../../gen/baccarat/v1/control_pb.ts";
import { type RoomPolicy, RoomPolicySchema } from "../../gen/baccarat/v1/edge_service_pb.ts";
import { type Room, RoomSchema } from "../../gen/baccarat/v1/room_pb.ts";
import type { RoomAccess } from "../auth.ts";
import { controlKeys } from "../control-keys.ts";
import { RoomError } from "../errors.ts";
import { directUsers, type RoomId, type Uid } from "../ids.ts";
import { FIXED } from "../limits.ts";
import type { ControlFold } from "./control-fold.ts";
import type { ControlWriter } from "./control-writer.ts";
import type { FoldedRoom } from "./folded.ts";
import { KeyedQueue } from "./keyed-queue.ts";
import { cutPage, decodePageToken, pageSize } from "./paging.ts";
import { isConfigured, maskedSettings, newSettings, overloadSettings } from "./room-settings.ts";
import { endOf } from "./standings.ts";

/** `open`: every valid id is a room. `listed`: only created ones are. */
export type RoomCreation = "open" | "listed";

/** Hears how settings are about to change. */
export type BeforeChange = (before: Room, after: Room) => Promise<void>;

/** A page of rooms, in the order of their ids. */
export interface RoomsPage {
  readonly rooms: readonly Room[];
  readonly nextPageToken: string;
}

/**
 * Rooms and their settings. Creating a room nobody ever created is settled by the store: one of several callers wins.
 * Changes of settings are whole records, the last one wins; within a replica changes of one room wait for each other.
 */
export class Rooms {
  readonly #broker: Broker;
  readonly #fold: ControlFold;
  readonly #writer: ControlWriter;
  readonly #creation: RoomCreation;
  readonly #now: () => number;
  readonly #changes = new KeyedQueue();

  constructor(options: {
    broker: Broker;
    fold: ControlFold;
    writer: ControlWriter;
    roomCreation: RoomCreation;
    now: () => number;
  }) {
    this.#broker = options.broker;
    this.#fold = options.fold;
    this.#writer = options.writer;
    this.#creation = options.roomCreation;
    this.#now = options.now;
  }

  /**
   * What permissions depend on.
   * @param uid the user who asks, if it is one.
   * @throws RoomError room_not_found when deleted, or unknown where rooms are listed.
   */
  access(room: RoomId, uid?: Uid): RoomAccess {
    if (directUsers(room)) return { room };
    const record = this.#fold.room(room)?.record;
    this.#requireRoom(room, record);
    const access = { room, private: record?.room?.private ?? false, frozen: record?.room?.frozen ?? false };
    if (uid === undefined) return access;
    const { standings } = this.#fold;
    return {
      ...access,
      bannedUntilMs: endOf(standings.bans(room).get(uid)),
      mutedUntilMs: endOf(standings.mutes(room).get(uid)),
      invited: standings.invitations(room).has(uid),
    };
  }

  /** What edges enforce. */
  policy(room: RoomId): RoomPolicy {
    const settings = this.#fold.room(room)?.record?.room;
    return create(RoomPolicySchema, {
      roomId: room,
      frozen: settings?.frozen ?? false,
      slowModeMs: settings?.slowModeMs ?? 0,
      ...overloadSettings(settings),
    });
  }

  /** What its members are told of; undefined when it is the defaults. */
  settings(room: RoomId): Room | undefined {
    const settings = this.#fold.room(room)?.record?.room;
    return settings !== undefined && isConfigured(settings) ? settings : undefined;
  }

  /**
   * Stores a room's settings.
   * @param before hears of the settings when everything was checked; nothing is written before it resolves.
   * @throws RoomError already_exists, invalid_argument, unavailable.
   */
  async create(room: RoomId, asked: Room, before: BeforeChange = nothing): Promise<Room> {
    requirePlain(room);
    const settings = newSettings({ ...asked, roomId: room });
    return this.#changes.run(room, async () => {
      const deleted = await this.#requireNoSettings(room);
      const record = this.#record(settings, deleted);
      const key = controlKeys.room(room);
      await before(create(RoomSchema, { roomId: room }), settings);
      if (!(await this.#writer.create(key, RoomRecordSchema, record))) {
        // It was deleted, or somebody else was faster.
        const since = await this.#requireNoSettings(room);
        await this.#writer.put(key, RoomRecordSchema, this.#record(settings, since));
      }
      return this.#view(room, record.room);
    });
  }

  /** A room's settings and how many members it has. @throws RoomError room_not_found. */
  get(room: RoomId): Room {
    requirePlain(room);
    const record = this.#fold.room(room)?.record;
    this.#requireRoom(room, record);
    return this.#view(room, record?.room);
  }

  /**
   * A page of the rooms that have settings or members, in the order of their ids.
   * @param request.prefix only rooms whose id begins with this.
   * @throws RoomError invalid_argument.
   */
  list(request: { pageSize: number; pageToken: string; prefix: string }): RoomsPage {
    const scope = ["rooms", request.prefix];
    const from = decodePageToken(scope, request.pageToken) ?? request.prefix;
    const size = pageSize(request.pageSize, FIXED.roomPageDefault, FIXED.pageSize);
    const walk = startingWith(request.prefix, this.#fold.presence.listed.from(from));
    const { items, nextPageToken } = cutPage(walk, size, scope);
    return { rooms: items.map((room) => this.#view(room.id, room.record?.room)), nextPageToken };
  }

  /**
   * Changes the settings named by the mask; without one, those that `asked` does not leave at their defaults.
   * @param before as in create.
   * @throws RoomError room_not_found, invalid_argument, unavailable.
   */
  async update(room: RoomId, asked: Room, mask: FieldMask | undefined, before: BeforeChange = nothing): Promise<Room> {
    requirePlain(room);
    return this.#changes.run(room, async () => {
      // Not the fold: another replica may have acknowledged a change that has not come here yet.
      const stored = await this.#stored(room);
      this.#requireRoom(room, stored);
      const current = stored?.room ?? create(RoomSchema, { roomId: room });
      const record = this.#record(maskedSettings(current, asked, mask), stored);
      await before(current, record.room ?? current);
      await this.#writer.put(controlKeys.room(room), RoomRecordSchema, record);
      return this.#view(room, record.room);
    });
  }

  /**
   * Deletes a room: from the place of this in the log on nobody is in it, and its id answers room_not_found. Deleting a
   * deleted room does nothing.
   * @param before as in create, without settings.
   * @throws RoomError room_not_found for an id that never was a room, invalid_argument, unavailable.
   */
  async delete(room: RoomId, before: () => Promise<void> = nothing): Promise<void> {
    requirePlain(room);
    return this.#changes.run(room, async () => {
      const stored = await this.#stored(room);
      if (stored?.deleted) return;
      this.#requireRoom(room, stored);
      await before();
      // Read before the room is gone: what comes later is refused, by this replica at once and soon by all.
      const deletedAt = { epoch: this.#broker.epoch, seq: BigInt(await this.#broker.logEnd()) };
      const record = create(RoomRecordSchema, { deleted: true, deletedAt });
      await this.#writer.put(controlKeys.room(room), RoomRecordSchema, record);
    });
  }

  #requireRoom(room: RoomId, record: RoomRecord | undefined): void {
    const exists = record === undefined ? this.#creation === "open" : !record.deleted;
    if (!exists) throw new RoomError("room_not_found", "there is no such room", { metadata: { room_id: room } });
  }

  /** What is stored of a room that was deleted, if anything. */
  async #requireNoSettings(room: RoomId): Promise<RoomRecord | undefined> {
    const stored = await this.#stored(room);
    if (stored !== undefined && !stored.deleted) throw new RoomError("already_exists", "the room has settings");
    return stored;
  }

  async #stored(room: RoomId): Promise<RoomRecord | undefined> {
    const value = (await this.#broker.control.get(controlKeys.room(room)))?.value;
    return value === undefined ? undefined : fromBinary(RoomRecordSchema, value);
  }

  #record(settings: Room, before: RoomRecord | undefined): RoomRecord {
    const now = timestampFromMs(this.#now());
    return create(RoomRecordSchema, {
      room: { ...settings, memberCount: 0, createTime: before?.room?.createTime ?? now, updateTime: now },
      ...(before?.deletedAt && { deletedAt: before.deletedAt }),
    });
  }

  #view(room: RoomId, settings: Room | undefined): Room {
    const memberCount = this.#fold.room(room)?.members.size ?? 0;
    return { ...(settings ?? create(RoomSchema)), ...overloadSettings(settings), roomId: room, memberCount };
  }
}

/** @throws RoomError invalid_argument for a direct conversation: it has no settings, and nobody moderates it. */
export function requirePlain(room: RoomId): void {
  if (!directUsers(room)) return;
  throw new RoomError("invalid_argument", "a direct conversation has no settings and no moderators", {
    metadata: { field: "room_id" },
  });
}

async function nothing(): Promise<void> {}

function* startingWith(
  prefix: string,
  walk: Iterable<readonly [string, FoldedRoom]>,
): Generator<readonly [string, FoldedRoom]> {
  for (const step of walk) {
    if (!step[0].startsWith(prefix)) return;
    yield step;
  }
}
