import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Event } from "../gen/baccarat/v1/event_pb.ts";
import type { Message } from "../gen/baccarat/v1/message_pb.ts";

/** What of a message is stored. Its position is the broker's to give; the rest is the event's. */
export type StoredMessage = Pick<
  Message,
  "uid" | "username" | "avatarId" | "from" | "message" | "imageUrl" | "toUid" | "clientMsgId"
>;

/**
 * A message's event, equal to what create() of the Protobuf library makes (a test holds the two equal). Written out because
 * every message passes here, twice on NATS: create() walks the descriptor and adds field by field, so that the object is
 * allocated anew several times as it grows.
 */
export function messageEvent(roomId: string, sent: Timestamp, stored: StoredMessage): Event {
  return {
    $typeName: "baccarat.v1.Event",
    roomId,
    seq: 0n,
    prevSeq: 0n,
    sent,
    body: {
      case: "message",
      value: {
        $typeName: "baccarat.v1.Message",
        roomId: "",
        messageId: "",
        seq: 0n,
        prevSeq: 0n,
        uid: stored.uid,
        username: stored.username,
        avatarId: stored.avatarId,
        from: stored.from,
        message: stored.message,
        imageUrl: stored.imageUrl,
        toUid: stored.toUid,
        clientMsgId: stored.clientMsgId,
      },
    },
  };
}

/** A time of whole seconds since 1970 and a fraction. */
export function timestamp(seconds: number, nanos: number): Timestamp {
  return { $typeName: "google.protobuf.Timestamp", seconds: BigInt(seconds), nanos };
}
