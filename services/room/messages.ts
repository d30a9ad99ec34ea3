import type { StoredEvent } from "../../broker/broker.ts";
import type { Event } from "../../gen/baccarat/v1/event_pb.ts";
import type { Message } from "../../gen/baccarat/v1/message_pb.ts";
import { AuditAction } from "../../gen/baccarat/v1/moderation_pb.ts";
import { authorize, type Principal, type RoomAccess, requireScope, type Service, senderUid } from "../auth.ts";
import { RoomError } from "../errors.ts";
import { directUsers, type RoomId, serviceConversationUid, type Uid } from "../ids.ts";
import { characters, FIXED } from "../limits.ts";
import type { Metrics } from "../metrics.ts";
import type { PublishedEvent, Publisher } from "../publisher.ts";
import { SlowMode } from "../slow-mode.ts";
import type { Span } from "../tracing.ts";
import type { Audit } from "./audit.ts";
import type { History } from "./history.ts";
import type { Recipients } from "./recipients.ts";
import type { Rooms } from "./rooms.ts";
import type { Snapshots } from "./snapshots.ts";
import { toEvent, toMessage } from "./stored-events.ts";
import type { Users } from "./users.ts";

/** What a service sends; as in SendMessageRequest. */
export interface SendRequest {
  /** Exactly one of room and toUid. */
  readonly room: RoomId | undefined;
  readonly toUid: Uid | undefined;
  readonly message: string;
  readonly imageUrl: string;
  readonly from: string;
  readonly idempotencyKey: string;
  /** Send as this user; needs scope `admin`. */
  readonly uid: Uid | undefined;
  /** Name of that user; empty: what is known of it. */
  readonly username: string;
}

/** An event of a service's own type; as in PublishEventRequest. */
export interface EventRequest {
  readonly room: RoomId;
  readonly type: string;
  readonly dataJson: string;
  readonly idempotencyKey: string;
  /** Empty: the room's snapshot does not keep it. */
  readonly snapshotKey: string;
}

/** What services say in rooms, and what anybody deletes there. */
export class Messages {
  readonly #rooms: Rooms;
  readonly #users: Users;
  readonly #history: History;
  readonly #recipients: Recipients;
  readonly #publisher: Publisher;
  readonly #audit: Audit;
  readonly #snapshots: Snapshots;
  readonly #metrics: Metrics | undefined;
  /** For users in whose name services speak: by room and user. */
  readonly #slowMode = new SlowMode();

  constructor(options: {
    rooms: Rooms;
    users: Users;
    history: History;
    recipients: Recipients;
    publisher: Publisher;
    audit: Audit;
    snapshots: Snapshots;
    metrics?: Metrics | undefined;
  }) {
    this.#rooms = options.rooms;
    this.#users = options.users;
    this.#history = options.history;
    this.#recipients = options.recipients;
    this.#publisher = options.publisher;
    this.#audit = options.audit;
    this.#snapshots = options.snapshots;
    this.#metrics = options.metrics;
  }

  /**
   * Stores a message of a service, or of a user it names, and tells what is stored. The room's rules hold for the user as
   * if they spoke themselves, but for being a member.
   * @throws RoomError permission_denied, banned, muted, rate_limited, room_not_found, invalid_argument,
   * message_too_large, unavailable.
   */
  async send(
    service: Service,
    request: SendRequest,
    span?: Span,
  ): Promise<{ readonly message: Message; readonly duplicate: boolean }> {
    const { room, ...published } = await this.#counted(this.store(service, request, undefined, span));
    const message = toMessage(await this.#stored(room, published), this.#history.epoch);
    if (message === undefined) throw new Error("the publisher composed something that is no message");
    return { message, duplicate: published.duplicate };
  }

  /**
   * The same without reading what a retry's first try stored. A message to a room is with the broker when this returns.
   * @param lane keeps messages of one stream to one room in order.
   * @throws RoomError as send.
   */
  async store(
    service: Service,
    request: SendRequest,
    lane?: object,
    span?: Span,
  ): Promise<PublishedEvent & { readonly room: RoomId }> {
    const sender = this.#sender(service, request);
    if ((request.room === undefined) === (request.toUid === undefined)) {
      throw new RoomError("invalid_argument", "exactly one of room_id and to_uid is needed");
    }
    const access =
      request.toUid === undefined
        ? this.#plainRoom(request.room, request.uid)
        : await this.#conversation(sender, request.toUid);
    const content = {
      message: request.message,
      imageUrl: request.imageUrl,
      from: request.from,
      toUid: request.toUid ?? "",
      key: request.idempotencyKey,
    };
    const publish = (): Promise<PublishedEvent> =>
      this.#publisher.sendMessage(sender, { ...access, member: true }, content, lane, span);
    const { slowModeMs } = this.#rooms.policy(access.room);
    const isSlow = sender.kind === "user" && slowModeMs > 0;
    const published = isSlow ? this.#slowMode.pace(`${access.room} ${sender.uid}`, slowModeMs, publish) : publish();
    return { room: access.room, ...(await published) };
  }

  /**
   * Stores an event of the service's own type, and tells what is stored.
   * @throws RoomError permission_denied, room_not_found, invalid_argument, message_too_large, snapshot_full, unavailable.
   */
  async publishEvent(
    service: Service,
    request: EventRequest,
    span?: Span,
  ): Promise<{ readonly event: Event; readonly duplicate: boolean }> {
    const published = await this.#counted(this.storeEvent(service, request, undefined, span));
    return { event: toEvent(await this.#stored(request.room, published)), duplicate: published.duplicate };
  }

  /**
   * The same without reading what a retry's first try stored. The event is with the broker when this returns.
   * @param lane keeps events of one stream to one room in order.
   * @throws RoomError permission_denied, room_not_found, invalid_argument, message_too_large, snapshot_full, unavailable.
   */
  async storeEvent(service: Service, request: EventRequest, lane?: object, span?: Span): Promise<PublishedEvent> {
    const access = this.#plainRoom(request.room);
    authorize(service, "publish", access);
    const { room, type, dataJson, snapshotKey, idempotencyKey: key } = request;
    const publish = () =>
      this.#publisher.publishEvent(service, access, { type, dataJson, snapshotKey, key }, lane, span);
    return snapshotKey === "" ? publish() : this.#snapshots.publish(room, snapshotKey, dataJson, publish);
  }

  /**
   * Deletes a message; deleting it again gives the same deletion.
   * @param access what is known of the room; `member` says whether a user is in it.
   * @param span what it is traced as a part of.
   * @throws RoomError not_found, invalid_argument when it is no message, permission_denied, not_a_member, unavailable.
   */
  async delete(principal: Principal, access: RoomAccess, seq: bigint, span?: Span): Promise<Event> {
    authorize(principal, principal.kind === "user" ? "delete_own" : "delete_any", access);
    const position = Number(seq);
    const target = await this.#history.find(access.room, position);
    if (target === undefined) return this.#deletedBefore(principal, access, position);
    const { body } = target.event;
    if (body.case !== "message") throw new RoomError("invalid_argument", "only messages can be deleted");
    const isOwn = body.value.uid === senderUid(principal);
    authorize(principal, isOwn ? "delete_own" : "delete_any", access);
    if (!isOwn || principal.kind === "service") await this.#recordDeletion(principal, access.room, seq, body.value.uid);
    const deletion = await this.#publisher.deleteMessage(principal, access, position, span);
    return toEvent(await this.#stored(access.room, deletion));
  }

  #recordDeletion(principal: Principal, room: RoomId, seq: bigint, uid: string): Promise<void> {
    const actor = senderUid(principal);
    return this.#audit.record({ action: AuditAction.DELETE_MESSAGE, actor, room, uid, facts: { seq: String(seq) } });
  }

  async #deletedBefore(principal: Principal, access: RoomAccess, seq: number): Promise<Event> {
    const deletion = await this.#history.findDeletion(access.room, seq);
    const { body } = deletion?.event ?? { body: undefined };
    if (deletion === undefined || body?.case !== "deletion")
      throw new RoomError("not_found", "there is no such message");
    if (body.value.byUid !== senderUid(principal)) authorize(principal, "delete_any", access);
    return toEvent(deletion);
  }

  /** Counts a publish of a call of its own; streams and edges count theirs. */
  async #counted<T extends PublishedEvent>(publishing: Promise<T>): Promise<T> {
    const startedAt = performance.now();
    try {
      const published = await publishing;
      this.#metrics?.publishSeconds.observe((performance.now() - startedAt) / 1_000);
      this.#metrics?.publishesTotal.inc({ outcome: published.duplicate ? "duplicate" : "ok" });
      return published;
    } catch (error) {
      const isCallers = error instanceof RoomError && error.reason !== "unavailable";
      if (!isCallers) this.#metrics?.publishesTotal.inc({ outcome: "error" });
      throw error;
    }
  }

  /** A retry is answered with what the first try stored, not with what it would have stored itself. */
  async #stored(room: RoomId, { seq, event, duplicate }: PublishedEvent): Promise<StoredEvent> {
    const first = duplicate ? await this.#history.find(room, seq) : undefined;
    return first ?? { room, seq, prevSeq: 0, event };
  }

  #sender(service: Service, { uid, username }: SendRequest): Principal {
    if (uid === undefined) {
      requireScope(service, "publish");
      return service;
    }
    requireScope(service, "admin");
    if (characters(username) > FIXED.nameChars) {
      throw new RoomError("invalid_argument", `username has at most ${FIXED.nameChars} characters`);
    }
    const profile = this.#users.profile(uid);
    return {
      kind: "user",
      uid,
      username: username || profile?.username || uid,
      avatarId: profile?.avatarId ?? "",
      // A guest's `from` is its own.
      guest: true,
      roles: [],
      rooms: undefined,
    };
  }

  #plainRoom(room: RoomId | undefined, uid?: Uid): RoomAccess {
    if (room === undefined || directUsers(room)) {
      throw new RoomError("invalid_argument", "a direct conversation is written to by to_uid", {
        metadata: { field: "room_id" },
      });
    }
    return this.#rooms.access(room, uid);
  }

  /** @throws RoomError as Recipients.conversation. */
  async #conversation(sender: Principal, toUid: Uid): Promise<RoomAccess> {
    const room = await this.#recipients.conversation(
      sender.kind === "user" ? sender.uid : serviceConversationUid(sender.name),
      toUid,
    );
    // A service becomes somebody who can be answered once it has spoken.
    if (sender.kind === "service") await this.#users.remember(serviceConversationUid(sender.name), undefined);
    return { room };
  }
}
