import type { FieldMask } from "@bufbuild/protobuf/wkt";
import { AuditAction } from "../../gen/baccarat/v1/moderation_pb.ts";
import type { Room } from "../../gen/baccarat/v1/room_pb.ts";
import { authorize, type Principal, type RoomAccess, senderUid } from "../auth.ts";
import type { RoomId } from "../ids.ts";
import type { Audit } from "./audit.ts";
import type { Moderation } from "./moderation.ts";
import { changedSettings, isForModerators } from "./room-settings.ts";
import type { Rooms } from "./rooms.ts";

/**
 * Changes of rooms as somebody asks for them: permitted, recorded, done. All methods throw RoomError permission_denied,
 * invalid_argument, unavailable, and what Rooms throws.
 */
export class RoomAdministration {
  readonly #rooms: Rooms;
  readonly #moderation: Moderation;
  readonly #audit: Audit;

  constructor(options: { rooms: Rooms; moderation: Moderation; audit: Audit }) {
    this.#rooms = options.rooms;
    this.#moderation = options.moderation;
    this.#audit = options.audit;
  }

  /** Stores a room's settings. */
  create(principal: Principal, room: RoomId, asked: Room): Promise<Room> {
    authorize(principal, "administer", { room });
    const actor = senderUid(principal);
    return this.#rooms.create(room, asked, (before, after) =>
      this.#audit.record({ action: AuditAction.CREATE_ROOM, actor, room, facts: changedSettings(before, after) }),
    );
  }

  /** Changes the settings named by the mask. A moderator may change some of them. */
  async update(principal: Principal, access: RoomAccess, asked: Room, mask: FieldMask | undefined): Promise<Room> {
    const { room } = access;
    authorize(principal, isForModerators(mask) ? "moderate" : "administer", access);
    const actor = senderUid(principal);
    return this.#rooms.update(room, asked, mask, (before, after) =>
      this.#audit.record({ action: AuditAction.UPDATE_ROOM, actor, room, facts: changedSettings(before, after) }),
    );
  }

  /** Deletes a room, with all that was decided about users in it. */
  async delete(principal: Principal, room: RoomId): Promise<void> {
    authorize(principal, "administer", { room });
    const actor = senderUid(principal);
    await this.#rooms.delete(room, () => this.#audit.record({ action: AuditAction.DELETE_ROOM, actor, room }));
    await this.#moderation.forget(room);
  }
}
