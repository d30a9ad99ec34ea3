import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Broker } from "../broker/broker.ts";
import { type Event, EventSchema } from "../gen/baccarat/v1/event_pb.ts";
import { authorize, type Principal, type RoomAccess, senderUid } from "./auth.ts";
import { RoomError } from "./errors.ts";
import { isCustomType } from "./ids.ts";
import { characters, FIXED } from "./limits.ts";

/** What a sender wrote. */
export interface MessageContent {
  readonly message: string;
  /** Empty for none. */
  readonly imageUrl: string;
  /** Display name for this message, for guests and services; empty for none. */
  readonly from: string;
  /** Recipient when the room is a direct conversation, empty otherwise. */
  readonly toUid: string;
  /** The sender's name for this publish: a frame's client_msg_id or id, a request's idempotency_key. Empty: no dedupe. */
  readonly key: string;
}

/** An event that was stored. */
export interface PublishedEvent {
  /** As this call composed it; after a duplicate the stored one has the first call's `sent`. */
  readonly event: Event;
  readonly seq: number;
  readonly duplicate: boolean;
}

/**
 * Where WebSocket and RPC meet: everything that is ever stored in a room's log is checked and composed here. Permission
 * first, then limits, then one Broker.publish.
 */
export class Publisher {
  readonly #broker: Broker;
  readonly #now: () => number;

  constructor(options: { broker: Broker; now?: () => number }) {
    this.#broker = options.broker;
    this.#now = options.now ?? Date.now;
  }

  /**
   * Stores a message. `lane` keeps one sender's messages to a room in order (Broker.publish).
   * Throws synchronously what needs no broker, so that a caller may answer at once.
   * @throws RoomError permission_denied, not_a_member, muted, invalid_argument, message_too_large, unavailable.
   */
  sendMessage(sender: Principal, access: RoomAccess, content: MessageContent, lane?: object): Promise<PublishedEvent> {
    const now = this.#now();
    authorize(sender, "publish", access, now);
    checkContent(content);
    const uid = senderUid(sender);
    const event = create(EventSchema, {
      roomId: access.room,
      sent: timestampFromMs(now),
      body: {
        case: "message",
        value: {
          uid,
          username: sender.kind === "user" ? sender.username : sender.name,
          avatarId: sender.kind === "user" ? sender.avatarId : "",
          from: sender.kind === "user" && !sender.guest ? sender.username : content.from,
          message: content.message,
          imageUrl: content.imageUrl,
          toUid: content.toUid,
          clientMsgId: content.key,
        },
      },
    });
    const id = dedupeId(access.room, uid, content.key, content.message, content.imageUrl, content.from);
    return this.#publish(access, event, id, lane);
  }

  /**
   * Stores a service's own event.
   * @throws RoomError permission_denied, invalid_argument, message_too_large, unavailable.
   */
  publishEvent(
    sender: Principal,
    access: RoomAccess,
    custom: { type: string; dataJson: string; key: string },
    lane?: object,
  ): Promise<PublishedEvent> {
    authorize(sender, "publish", access);
    if (!isCustomType(custom.type)) {
      throw new RoomError(
        "invalid_argument",
        "type must be like table.result: lower case, with a dot, at most 64 characters",
      );
    }
    if (Buffer.byteLength(custom.dataJson) > FIXED.customEventBytes) {
      throw new RoomError("message_too_large", `data is over ${FIXED.customEventBytes} bytes`);
    }
    checkKey(custom.key);
    const byUid = senderUid(sender);
    const event = create(EventSchema, {
      roomId: access.room,
      sent: timestampFromMs(this.#now()),
      body: { case: "customEvent", value: { type: custom.type, dataJson: custom.dataJson, byUid } },
    });
    return this.#publish(access, event, dedupeId(access.room, byUid, custom.key, custom.type, custom.dataJson), lane);
  }

  /** Stores a deletion; the caller has checked that `seq` is a message `sender` may delete. @throws RoomError unavailable. */
  deleteMessage(sender: Principal, access: RoomAccess, seq: number): Promise<PublishedEvent> {
    const byUid = senderUid(sender);
    const event = create(EventSchema, {
      roomId: access.room,
      sent: timestampFromMs(this.#now()),
      body: { case: "deletion", value: { deletedSeq: BigInt(seq), byUid } },
    });
    return this.#publish(access, event, dedupeId(access.room, "", `delete ${seq}`), undefined);
  }

  async #publish(
    access: RoomAccess,
    event: Event,
    id: string | undefined,
    lane: object | undefined,
  ): Promise<PublishedEvent> {
    const published = await this.#broker.publish(access.room, event, { dedupeId: id, lane });
    return { event, seq: published.seq, duplicate: published.duplicate };
  }
}

/**
 * The id by which a retry is recognised: of room, sender, key and content, so that nobody can suppress another's message
 * with a guessed key (JetStream's window is per stream) and the same key with other content is another message.
 */
export function dedupeId(room: string, uid: string, key: string, ...content: readonly string[]): string | undefined {
  if (key === "") return undefined;
  return createHash("sha256")
    .update(JSON.stringify([room, uid, key, content]))
    .digest("base64url");
}

function checkContent(content: MessageContent): void {
  if (characters(content.message) > FIXED.messageChars) {
    throw new RoomError("message_too_large", `a message has at most ${FIXED.messageChars} characters`);
  }
  if (content.message === "" && content.imageUrl === "") throw new RoomError("invalid_argument", "message is empty");
  if (content.imageUrl !== "" && !isImageUrl(content.imageUrl)) {
    throw new RoomError("invalid_argument", "image_url must be an https URL of at most 2048 characters");
  }
  if (characters(content.from) > FIXED.nameChars)
    throw new RoomError("invalid_argument", "from has at most 64 characters");
  checkKey(content.key);
}

function checkKey(key: string): void {
  if (characters(key) > FIXED.nameChars) throw new RoomError("invalid_argument", "the id has at most 64 characters");
}

function isImageUrl(value: string): boolean {
  return value.length <= FIXED.imageUrlChars && value.startsWith("https://") && URL.canParse(value);
}
