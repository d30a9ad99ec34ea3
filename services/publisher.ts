import { hash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Broker, Published, PublishOptions } from "../broker/broker.ts";
import { type Event, EventSchema, TraceContextSchema } from "../gen/baccarat/v1/event_pb.ts";
import { authorize, type Principal, type RoomAccess, senderUid } from "./auth.ts";
import { RoomError } from "./errors.ts";
import { isCustomType, isSnapshotKey, messageId } from "./ids.ts";
import { characters, FIXED } from "./limits.ts";
import { messageEvent } from "./message-event.ts";
import { type Span, type Tracer, traced } from "./tracing.ts";

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

/** What a service publishes. */
export interface CustomContent {
  /** Type of the frame clients receive. */
  readonly type: string;
  /** JSON text. */
  readonly dataJson: string;
  /** Key of the room's snapshot under which it is kept; empty for none. */
  readonly snapshotKey: string;
  /** As in MessageContent. */
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
  readonly #tracer: Tracer | undefined;

  /** @param options.tracer default: nothing is traced. */
  constructor(options: { broker: Broker; now?: () => number; tracer?: Tracer | undefined }) {
    this.#broker = options.broker;
    this.#now = options.now ?? Date.now;
    this.#tracer = options.tracer;
  }

  /**
   * Stores a message. `lane` keeps one sender's messages to a room in order (Broker.publish); `span` is what it is
   * traced as a part of.
   * Throws synchronously what needs no broker, so that a caller may answer at once.
   * @throws RoomError permission_denied, not_a_member, muted, invalid_argument, message_too_large, unavailable.
   */
  sendMessage(
    sender: Principal,
    access: RoomAccess,
    content: MessageContent,
    lane?: object,
    span?: Span,
  ): Promise<PublishedEvent> {
    const now = this.#now();
    authorize(sender, "publish", access, now);
    checkContent(content);
    const uid = senderUid(sender);
    const event = messageEvent(access.room, timestampFromMs(now), {
      uid,
      username: sender.kind === "user" ? sender.username : sender.name,
      avatarId: sender.kind === "user" ? sender.avatarId : "",
      from: sender.kind === "user" && !sender.guest ? sender.username : content.from,
      message: content.message,
      imageUrl: content.imageUrl,
      toUid: content.toUid,
      clientMsgId: content.key,
    });
    const id = dedupeId(access.room, uid, content.key, content.message, content.imageUrl, content.from);
    return this.#publish(access, event, id, lane, span);
  }

  /**
   * Stores a service's own event.
   * @throws RoomError permission_denied, invalid_argument, message_too_large, unavailable.
   */
  publishEvent(
    sender: Principal,
    access: RoomAccess,
    custom: CustomContent,
    lane?: object,
    span?: Span,
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
    const { type, dataJson, snapshotKey } = custom;
    if (snapshotKey !== "" && !isSnapshotKey(snapshotKey)) {
      throw new RoomError("invalid_argument", "snapshot_key has 1 to 64 characters of A-Z a-z 0-9 _ . -", {
        metadata: { field: "snapshot_key" },
      });
    }
    checkKey(custom.key);
    const byUid = senderUid(sender);
    const event = create(EventSchema, {
      roomId: access.room,
      sent: timestampFromMs(this.#now()),
      body: { case: "customEvent", value: { type, dataJson, byUid, snapshotKey } },
    });
    // Without a snapshot key the id is what earlier versions make of the same event.
    const content = snapshotKey === "" ? [type, dataJson] : [type, dataJson, snapshotKey];
    const id = dedupeId(access.room, byUid, custom.key, ...content);
    return this.#publish(access, event, id, lane, span);
  }

  /** Stores a deletion; the caller has checked that `seq` is a message `sender` may delete. @throws RoomError unavailable. */
  deleteMessage(sender: Principal, access: RoomAccess, seq: number, span?: Span): Promise<PublishedEvent> {
    const byUid = senderUid(sender);
    const event = create(EventSchema, {
      roomId: access.room,
      sent: timestampFromMs(this.#now()),
      body: { case: "deletion", value: { deletedSeq: BigInt(seq), byUid } },
    });
    return this.#publish(access, event, dedupeId(access.room, "", `delete ${seq}`), undefined, span);
  }

  async #publish(
    access: RoomAccess,
    event: Event,
    id: string | undefined,
    lane: object | undefined,
    span: Span | undefined,
  ): Promise<PublishedEvent> {
    const options = { dedupeId: id, lane };
    const storing = this.#tracer
      ? this.#traced(this.#tracer, access, event, options, span)
      : this.#broker.publish(access.room, event, options);
    const published = await storing;
    return { event, seq: published.seq, duplicate: published.duplicate };
  }

  /** The event carries the publish's span to every edge, as the parent of its delivery there. */
  #traced(
    tracer: Tracer,
    { room }: RoomAccess,
    event: Event,
    options: PublishOptions,
    parent: Span | undefined,
  ): Promise<Published> {
    const attributes = { "messaging.operation.type": "send", "baccarat.room_id": room };
    const publish = tracer.begin("publish", { kind: "producer", parent, attributes });
    if (publish.context) event.trace = create(TraceContextSchema, publish.context);
    const store = tracer.begin("store", { kind: "client", parent: publish });
    const found = ({ seq, duplicate }: Published) => ({
      "messaging.message.id": messageId(this.#broker.epoch, seq),
      "baccarat.duplicate": duplicate,
    });
    return traced(publish, traced(store, this.#broker.publish(room, event, options)), found);
  }
}

/**
 * The id by which a retry is recognised: of room, sender, key and content, so that nobody can suppress another's message
 * with a guessed key (JetStream's window is per stream) and the same key with other content is another message.
 */
export function dedupeId(room: string, uid: string, key: string, ...content: readonly string[]): string | undefined {
  if (key === "") return undefined;
  return hash("sha256", JSON.stringify([room, uid, key, content]), "base64url");
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
