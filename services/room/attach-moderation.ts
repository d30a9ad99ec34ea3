import type { Moderate } from "../../gen/baccarat/v1/edge_service_pb.ts";
import { RoomError } from "../errors.ts";
import { parseRoomId, parseUid, type RoomId, type Uid } from "../ids.ts";
import type { AttachSession } from "./attach-session.ts";
import type { Membership } from "./membership.ts";
import type { Moderation } from "./moderation.ts";
import type { RoomAdministration } from "./room-administration.ts";
import type { Rooms } from "./rooms.ts";

/** What moderators ask for by their connections: the same as services by RPC, within what a moderator may. */
export class AttachModeration {
  readonly #rooms: Rooms;
  readonly #membership: Membership;
  readonly #moderation: Moderation;
  readonly #administration: RoomAdministration;

  constructor(options: {
    rooms: Rooms;
    membership: Membership;
    moderation: Moderation;
    administration: RoomAdministration;
  }) {
    this.#rooms = options.rooms;
    this.#membership = options.membership;
    this.#moderation = options.moderation;
    this.#administration = options.administration;
  }

  /** @throws RoomError as Moderation and RoomAdministration do. */
  async execute(session: AttachSession, { clientId, act }: Moderate): Promise<unknown> {
    const { user } = session.client(clientId);
    const access = (roomId: string) => {
      const room = parsedRoom(roomId);
      return { ...this.#rooms.access(room, user.uid), member: this.#membership.isMember(room, clientId) };
    };
    switch (act.case) {
      case "kickMember":
        return this.#moderation.kick(user, access(act.value.roomId), { ...act.value, uid: parsedUid(act.value.uid) });
      case "banMember":
        return this.#moderation.ban(user, access(act.value.roomId), { ...act.value, uid: parsedUid(act.value.uid) });
      case "unbanMember":
        return this.#moderation.unban(user, access(act.value.roomId), { ...act.value, uid: parsedUid(act.value.uid) });
      case "muteMember":
        return this.#moderation.mute(user, access(act.value.roomId), { ...act.value, uid: parsedUid(act.value.uid) });
      case "unmuteMember":
        return this.#moderation.unmute(user, access(act.value.roomId), { ...act.value, uid: parsedUid(act.value.uid) });
      case "updateRoom": {
        const { room, updateMask } = act.value;
        if (room === undefined) throw malformed("room");
        return this.#administration.update(user, access(room.roomId), room, updateMask);
      }
      default:
        throw new RoomError("invalid_argument", "an act this version does not know");
    }
  }
}

function parsedRoom(value: string): RoomId {
  const room = parseRoomId(value);
  if (room === undefined) throw malformed("room_id");
  return room;
}

function parsedUid(value: string): Uid {
  const uid = parseUid(value);
  if (uid === undefined) throw malformed("uid");
  return uid;
}

function malformed(field: string): RoomError {
  return new RoomError("invalid_argument", `${field} is malformed`, { metadata: { field } });
}
