import type { Broker } from "../../broker/broker.ts";
import { ConversationLimit } from "../conversation-limit.ts";
import { RoomError } from "../errors.ts";
import { directRoom, type RoomId, type Uid } from "../ids.ts";
import type { Blocks } from "./blocks.ts";
import type { Conversations } from "./conversations.ts";
import type { Users } from "./users.ts";

/** Who may write to whom. */
export class Recipients {
  readonly #broker: Broker;
  readonly #users: Users;
  readonly #blocks: Blocks;
  readonly #conversations: Conversations;
  readonly #limit: ConversationLimit;

  constructor(options: {
    broker: Broker;
    users: Users;
    blocks: Blocks;
    conversations: Conversations;
    newConversationsPerMinute: number;
  }) {
    this.#broker = options.broker;
    this.#users = options.users;
    this.#blocks = options.blocks;
    this.#conversations = options.conversations;
    this.#limit = new ConversationLimit({ perMinute: options.newConversationsPerMinute });
  }

  /**
   * The conversation in which a user, or a service, may write to a user.
   * @throws RoomError invalid_argument when the recipient is the sender or never existed, permission_denied when the sender
   * is blocked, unavailable.
   */
  async conversation(from: Uid, to: Uid): Promise<RoomId> {
    const room = directRoom(from, to);
    if (room === undefined) throw invalid("nobody writes to oneself");
    if (!(await this.#users.exists(to))) throw invalid("no such user");
    this.#blocks.requireOpen(from, to);
    return room;
  }

  /** The same for a client, whose new conversations are counted. @throws RoomError as conversation, rate_limited. */
  async open(from: Uid, to: Uid): Promise<void> {
    const room = await this.conversation(from, to);
    if (await this.#isNew(room, from)) this.#limit.take(from);
  }

  async #isNew(room: RoomId, from: Uid): Promise<boolean> {
    if (this.#conversations.knows(room)) return false;
    if (this.#conversations.knowsAll(from)) return true;
    const { events, floor } = await this.#broker.history(room, { limit: 1 });
    return events.length === 0 && floor === 0;
  }
}

function invalid(rule: string): RoomError {
  return new RoomError("invalid_argument", `to_uid: ${rule}`, { metadata: { field: "to_uid" } });
}
