import type { ServiceImpl } from "@connectrpc/connect";
import type { ListEventsRequest, ListMessagesRequest, RoomService } from "../../../gen/baccarat/v1/room_service_pb.ts";
import { senderUid } from "../../auth.ts";
import type { ControlPlane } from "../control-plane.ts";
import { callerKey } from "./credentials.ts";
import { jsonText, optional, parsedRoomId, parsedSeq, parsedUid, required } from "./decode.ts";

/** baccarat.v1.RoomService over the control plane. */
export function roomService({ rooms, membership, messages, history }: ControlPlane): ServiceImpl<typeof RoomService> {
  return {
    async createRoom(request) {
      const room = required(request.room, "room");
      return { room: await rooms.create(parsedRoomId(room.roomId, "room.room_id"), room) };
    },
    getRoom: ({ roomId }) => ({ room: rooms.get(parsedRoomId(roomId)) }),
    listRooms(request) {
      const page = rooms.list(request);
      return { ...page, rooms: [...page.rooms] };
    },
    async updateRoom(request) {
      const room = required(request.room, "room");
      return { room: await rooms.update(parsedRoomId(room.roomId, "room.room_id"), room, request.updateMask) };
    },
    async deleteRoom({ roomId }) {
      await rooms.delete(parsedRoomId(roomId));
      return {};
    },
    listMembers({ roomId, ...asked }) {
      const page = membership.page(parsedRoomId(roomId), asked);
      return { ...page, members: [...page.members] };
    },
    async kickMember({ roomId, uid, reason }, { values }) {
      await membership.kick(parsedRoomId(roomId), parsedUid(uid), reason, senderUid(values.get(callerKey)));
      return {};
    },
    sendMessage({ roomId, toUid, uid, ...rest }, { values }) {
      return messages.send(values.get(callerKey), {
        ...rest,
        room: optional(roomId, parsedRoomId),
        toUid: optional(toUid, (value) => parsedUid(value, "to_uid")),
        uid: optional(uid, parsedUid),
      });
    },
    publishEvent({ roomId, type, data, idempotencyKey }, { values }) {
      const dataJson = jsonText(data, "data");
      return messages.publishEvent(values.get(callerKey), {
        room: parsedRoomId(roomId),
        type,
        dataJson,
        idempotencyKey,
      });
    },
    async listMessages(request) {
      const { items, ...page } = await history.listMessages(logRequest(request));
      return { ...page, messages: [...items] };
    },
    async listEvents(request) {
      const { items, ...page } = await history.listEvents(logRequest(request));
      return { ...page, events: [...items] };
    },
    async deleteMessage({ roomId, seq }, { values }) {
      const access = rooms.access(parsedRoomId(roomId));
      return { event: await messages.delete(values.get(callerKey), access, parsedSeq(seq, "seq")) };
    },
  };
}

function logRequest({ roomId, pageSize, pageToken, beforeSeq, afterSeq }: ListMessagesRequest | ListEventsRequest) {
  return {
    room: parsedRoomId(roomId),
    pageSize,
    pageToken,
    beforeSeq: parsedSeq(beforeSeq, "before_seq"),
    afterSeq: parsedSeq(afterSeq, "after_seq"),
  };
}
