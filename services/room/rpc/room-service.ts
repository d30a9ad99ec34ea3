import type { ServiceImpl } from "@connectrpc/connect";
import type {
  ListEventsRequest,
  ListMessagesRequest,
  PublishEventRequest,
  PublishItem,
  RoomService,
  SendMessageRequest,
} from "../../../gen/baccarat/v1/room_service_pb.ts";
import { type Service, senderUid } from "../../auth.ts";
import type { PublishedEvent } from "../../publisher.ts";
import type { ControlPlane } from "../control-plane.ts";
import type { EventRequest, Messages, SendRequest } from "../messages.ts";
import { callerKey } from "./credentials.ts";
import {
  invalid,
  jsonText,
  optional,
  parsedPosition,
  parsedRoomId,
  parsedSeq,
  parsedTarget,
  parsedUid,
} from "./decode.ts";
import { spanKey } from "./interceptors.ts";
import { roomModeration } from "./room-moderation.ts";

/** baccarat.v1.RoomService over the control plane. */
export function roomService(controlPlane: ControlPlane): ServiceImpl<typeof RoomService> {
  const { rooms, membership, messages, history, snapshots, watches, publishStreams } = controlPlane;
  const { blocks } = controlPlane.direct;
  return {
    ...roomModeration(controlPlane),
    getRoom: ({ roomId }) => ({ room: rooms.get(parsedRoomId(roomId)) }),
    listRooms(request) {
      const page = rooms.list(request);
      return { ...page, rooms: [...page.rooms] };
    },
    listMembers({ roomId, ...asked }) {
      const page = membership.page(parsedRoomId(roomId), asked);
      return { ...page, members: [...page.members] };
    },
    async blockUser({ uid, blockedUid }, { values }) {
      await blocks.block(parsedUid(uid), parsedUid(blockedUid, "blocked_uid"), senderUid(values.get(callerKey)));
      return {};
    },
    async unblockUser({ uid, blockedUid }, { values }) {
      await blocks.unblock(parsedUid(uid), parsedUid(blockedUid, "blocked_uid"), senderUid(values.get(callerKey)));
      return {};
    },
    sendMessage: (request, { values }) =>
      messages.send(values.get(callerKey), sendRequest(request), values.get(spanKey)),
    publishEvent: (request, { values }) =>
      messages.publishEvent(values.get(callerKey), eventRequest(request), values.get(spanKey)),
    async getSnapshot({ roomId }) {
      const { room } = rooms.access(parsedRoomId(roomId));
      const [{ seq }, { events }] = await snapshots.asOf(room, () => history.recover(room, undefined, 0));
      return { events, position: { epoch: history.epoch, seq: BigInt(seq) } };
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
      const span = values.get(spanKey);
      return { event: await messages.delete(values.get(callerKey), access, parsedSeq(seq, "seq"), span) };
    },
    watchRoom({ target, after }, { signal }) {
      return watches.watch({ target: parsedTarget(target), after: parsedPosition(after, "after") }, signal);
    },
    publishStream(requests, { values, signal }) {
      const store = (item: PublishItem, lane: object) => storeItem(messages, values.get(callerKey), item, lane);
      return publishStreams.serve(requests, store, signal);
    },
  };
}

async function storeItem(
  messages: Messages,
  caller: Service,
  { content }: PublishItem,
  lane: object,
): Promise<PublishedEvent> {
  switch (content.case) {
    case "sendMessage":
      return messages.store(caller, sendRequest(content.value), lane);
    case "publishEvent":
      return messages.storeEvent(caller, eventRequest(content.value), lane);
    case undefined:
      return invalid("content", "is missing");
  }
}

function sendRequest({ roomId, toUid, uid, ...rest }: SendMessageRequest): SendRequest {
  return {
    ...rest,
    room: optional(roomId, parsedRoomId),
    toUid: optional(toUid, (value) => parsedUid(value, "to_uid")),
    uid: optional(uid, parsedUid),
  };
}

function eventRequest({ roomId, data, ...rest }: PublishEventRequest): EventRequest {
  return { ...rest, room: parsedRoomId(roomId), dataJson: jsonText(data, "data") };
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
