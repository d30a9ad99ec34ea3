import { create } from "@bufbuild/protobuf";
import type { StoredEvent } from "../../broker/broker.ts";
import { type Event, EventSchema } from "../../gen/baccarat/v1/event_pb.ts";
import { type Message, MessageSchema } from "../../gen/baccarat/v1/message_pb.ts";
import { messageId } from "../ids.ts";

/** A stored event with its position: what edges make frames of. */
export function toEvent(stored: StoredEvent): Event {
  const { sent, trace, body } = stored.event;
  return create(EventSchema, {
    roomId: stored.room,
    seq: BigInt(stored.seq),
    prevSeq: BigInt(stored.prevSeq),
    body,
    ...(sent && { sent }),
    ...(trace && { trace }),
  });
}

/** The same for services, who are shown messages with all their fields. */
export function toFullEvent(stored: StoredEvent, epoch: string): Event {
  const event = toEvent(stored);
  const message = toMessage(stored, epoch);
  if (message !== undefined) event.body = { case: "message", value: message };
  return event;
}

/** The message an event carries, with what is filled in on reading; undefined when it carries none. */
export function toMessage(stored: StoredEvent, epoch: string): Message | undefined {
  const { body, sent } = stored.event;
  if (body.case !== "message") return undefined;
  return create(MessageSchema, {
    ...body.value,
    roomId: stored.room,
    messageId: messageId(epoch, stored.seq),
    seq: BigInt(stored.seq),
    prevSeq: BigInt(stored.prevSeq),
    ...(sent && { sent }),
  });
}

/** At least as many bytes as the event has when encoded, at the cost of measuring its strings. */
export function eventBytes({ roomId, body }: Event): number {
  return OVERHEAD_BYTES + Buffer.byteLength(roomId) + bodyBytes(body);
}

/** Numbers, timestamps, tags, lengths and the trace context. */
const OVERHEAD_BYTES = 256;

function bodyBytes(body: Event["body"]): number {
  switch (body.case) {
    case "message": {
      const { message, imageUrl, from, username, uid, toUid, avatarId, clientMsgId } = body.value;
      const strings = [message, imageUrl, from, username, uid, toUid, avatarId, clientMsgId];
      return strings.reduce((bytes, text) => bytes + Buffer.byteLength(text), 0);
    }
    case "customEvent":
      return (
        Buffer.byteLength(body.value.dataJson) +
        Buffer.byteLength(body.value.type) +
        body.value.byUid.length +
        body.value.snapshotKey.length
      );
    default:
      return 0;
  }
}
