import type { StoredEvent } from "../../broker/broker.ts";
import type { Event } from "../../gen/baccarat/v1/event_pb.ts";
import type { Message } from "../../gen/baccarat/v1/message_pb.ts";
import { authorize, type Principal, type RoomAccess, requireScope, type Service, senderUid } from "../auth.ts";
import { RoomError } from "../errors.ts";
import { directRoom, directUsers, type RoomId, serviceConversationUid, type Uid } from "../ids.ts";
import { characters, FIXED } from "../limits.ts";
import type { PublishedEvent, Publisher } from "../publisher.ts";
import type { History } from "./history.ts";
import type { Rooms } from "./rooms.ts";
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

/** What services say in rooms, and what anybody deletes there. */
export class Messages {
  readonly #rooms: Rooms;
  readonly #users: Users;
  readonly #history: History;
  readonly #publisher: Publisher;

  constructor(options: { rooms: Rooms; users: Users; history: History; publisher: Publisher }) {
    this.#rooms = options.rooms;
    this.#users = options.users;
    this.#history = options.history;
    this.#publisher = options.publisher;
  }

  /**
   * Stores a message of a service, or of a user it names.
   * @param lane keeps messages of one stream to one room in order.
   * @throws RoomError permission_denied, room_not_found, invalid_argument, message_too_large, unavailable.
   */
  async send(
    service: Service,
    request: SendRequest,
    lane?: object,
  ): Promise<{ readonly message: Message; readonly duplicate: boolean }> {
    const sender = this.#sender(service, request);
    if ((request.room === undefined) === (request.toUid === undefined)) {
      throw new RoomError("invalid_argument", "exactly one of room_id and to_uid is needed");
    }
    const access =
      request.toUid === undefined ? this.#plainRoom(request.room) : await this.#conversation(sender, request.toUid);
    const published = await this.#publisher.sendMessage(
      sender,
      { ...access, member: true },
      {
        message: request.message,
        imageUrl: request.imageUrl,
        from: request.from,
        toUid: request.toUid ?? "",
        key: request.idempotencyKey,
      },
      lane,
    );
    const message = toMessage(await this.#stored(access.room, published), this.#history.epoch);
    if (message === undefined) throw new Error("the publisher composed something that is no message");
    return { message, duplicate: published.duplicate };
  }

  /**
   * Stores an event of the service's own type.
   * @throws RoomError permission_denied, room_not_found, invalid_argument, message_too_large, unavailable.
   */
  async publishEvent(
    service: Service,
    request: { room: RoomId; type: string; dataJson: string; idempotencyKey: string },
    lane?: object,
  ): Promise<{ readonly event: Event; readonly duplicate: boolean }> {
    const access = this.#plainRoom(request.room);
    const custom = { type: request.type, dataJson: request.dataJson, key: request.idempotencyKey };
    const published = await this.#publisher.publishEvent(service, access, custom, lane);
    return { event: toEvent(await this.#stored(access.room, published)), duplicate: published.duplicate };
  }

  /**
   * Deletes a message; deleting it again gives the same deletion.
   * @param access what is known of the room; `member` says whether a user is in it.
   * @throws RoomError not_found, invalid_argument when it is no message, permission_denied, not_a_member, unavailable.
   */
  async delete(principal: Principal, access: RoomAccess, seq: bigint): Promise<Event> {
    authorize(principal, principal.kind === "user" ? "delete_own" : "delete_any", access);
    const position = Number(seq);
    const target = await this.#history.find(access.room, position);
    if (target === undefined) return this.#deletedBefore(principal, access, position);
    const { body } = target.event;
    if (body.case !== "message") throw new RoomError("invalid_argument", "only messages can be deleted");
    authorize(principal, body.value.uid === senderUid(principal) ? "delete_own" : "delete_any", access);
    return toEvent(await this.#stored(access.room, await this.#publisher.deleteMessage(principal, access, position)));
  }

  async #deletedBefore(principal: Principal, access: RoomAccess, seq: number): Promise<Event> {
    const deletion = await this.#history.findDeletion(access.room, seq);
    const { body } = deletion?.event ?? { body: undefined };
    if (deletion === undefined || body?.case !== "deletion")
      throw new RoomError("not_found", "there is no such message");
    if (body.value.byUid !== senderUid(principal)) authorize(principal, "delete_any", access);
    return toEvent(deletion);
  }

  /** A retry is answered with what the first try stored, not with what it would have stored itself. */
  async #stored(room: RoomId, { seq, event, duplicate }: PublishedEvent): Promise<StoredEvent> {
    const first = duplicate ? await this.#history.find(room, seq) : undefined;
    return first ?? { room, seq, prevSeq: 0, event };
  }

  #sender(service: Service, { uid, username, toUid }: SendRequest): Principal {
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
      // A guest's `from` is its own; a room's rules are not for one whom an admin lets speak.
      guest: true,
      roles: toUid === undefined ? ["admin"] : [],
      rooms: undefined,
    };
  }

  #plainRoom(room: RoomId | undefined): RoomAccess {
    if (room === undefined || directUsers(room)) {
      throw new RoomError("invalid_argument", "a direct conversation is written to by to_uid", {
        metadata: { field: "room_id" },
      });
    }
    return this.#rooms.access(room);
  }

  /** @throws RoomError invalid_argument when the recipient is the sender or never existed. */
  async #conversation(sender: Principal, toUid: Uid): Promise<RoomAccess> {
    const room = await this.openConversation(
      sender.kind === "user" ? sender.uid : serviceConversationUid(sender.name),
      toUid,
    );
    // A service becomes somebody who can be answered once it has spoken.
    if (sender.kind === "service") await this.#users.remember(serviceConversationUid(sender.name), undefined);
    return { room };
  }

  /**
   * The conversation in which one user may write to another.
   * @throws RoomError invalid_argument when the recipient is the sender or never existed, unavailable.
   */
  async openConversation(from: Uid, toUid: Uid): Promise<RoomId> {
    const room = directRoom(from, toUid);
    if (room === undefined) throw invalidRecipient("nobody writes to oneself");
    if (!(await this.#users.exists(toUid))) throw invalidRecipient("no such user");
    return room;
  }
}

function invalidRecipient(rule: string): RoomError {
  return new RoomError("invalid_argument", `to_uid: ${rule}`, { metadata: { field: "to_uid" } });
}
