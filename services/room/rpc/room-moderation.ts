import type { ServiceImpl } from "@connectrpc/connect";
import type { RoomService } from "../../../gen/baccarat/v1/room_service_pb.ts";
import type { ControlPlane } from "../control-plane.ts";
import { callerKey } from "./credentials.ts";
import { parsedRoomId, parsedUid, required } from "./decode.ts";

type Methods = Pick<
  ServiceImpl<typeof RoomService>,
  | "createRoom"
  | "updateRoom"
  | "deleteRoom"
  | "kickMember"
  | "banMember"
  | "unbanMember"
  | "listBans"
  | "muteMember"
  | "unmuteMember"
  | "inviteMember"
  | "uninviteMember"
>;

/** The methods of RoomService that change rooms and what users may do in them. */
export function roomModeration({ rooms, moderating }: ControlPlane): Methods {
  const { moderation, administration } = moderating;
  const access = (roomId: string) => rooms.access(parsedRoomId(roomId));
  return {
    async createRoom(request, { values }) {
      const room = required(request.room, "room");
      const id = parsedRoomId(room.roomId, "room.room_id");
      return { room: await administration.create(values.get(callerKey), id, room) };
    },
    async updateRoom(request, { values }) {
      const room = required(request.room, "room");
      const id = { room: parsedRoomId(room.roomId, "room.room_id") };
      return { room: await administration.update(values.get(callerKey), id, room, request.updateMask) };
    },
    async deleteRoom({ roomId }, { values }) {
      await administration.delete(values.get(callerKey), parsedRoomId(roomId));
      return {};
    },
    async kickMember({ roomId, uid, reason }, { values }) {
      await moderation.kick(values.get(callerKey), access(roomId), { uid: parsedUid(uid), reason });
      return {};
    },
    async banMember({ roomId, uid, reason, expiration }, { values }) {
      const subject = { uid: parsedUid(uid), reason, expiration };
      return { ban: await moderation.ban(values.get(callerKey), access(roomId), subject) };
    },
    async unbanMember({ roomId, uid, reason }, { values }) {
      await moderation.unban(values.get(callerKey), access(roomId), { uid: parsedUid(uid), reason });
      return {};
    },
    listBans({ roomId, ...asked }) {
      const page = moderation.listBans(access(roomId).room, asked);
      return { ...page, bans: [...page.bans] };
    },
    async muteMember({ roomId, uid, reason, expiration }, { values }) {
      const subject = { uid: parsedUid(uid), reason, expiration };
      return { mute: await moderation.mute(values.get(callerKey), access(roomId), subject) };
    },
    async unmuteMember({ roomId, uid, reason }, { values }) {
      await moderation.unmute(values.get(callerKey), access(roomId), { uid: parsedUid(uid), reason });
      return {};
    },
    async inviteMember({ roomId, uid, reason }, { values }) {
      const subject = { uid: parsedUid(uid), reason };
      return { invitation: await moderation.invite(values.get(callerKey), access(roomId), subject) };
    },
    async uninviteMember({ roomId, uid, reason }, { values }) {
      await moderation.uninvite(values.get(callerKey), access(roomId), { uid: parsedUid(uid), reason });
      return {};
    },
  };
}
