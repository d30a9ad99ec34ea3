import type { Broker } from "../broker/broker.ts";
import type { BlockChanged } from "../gen/baccarat/v1/edge_service_pb.ts";
import type { Uid } from "../services/ids.ts";
import type { Limits } from "../services/limits.ts";
import type { Logger } from "../services/log.ts";
import type { Metrics } from "../services/metrics.ts";
import type { Connection } from "./connection.ts";
import { Conversations } from "./conversations.ts";
import { CursorWriter } from "./cursor-writer.ts";
import { DirectEntrance, type EntranceOptions } from "./direct-entrance.ts";
import { DirectPermits } from "./direct-permits.ts";
import { type DirectUser, DirectUsers, NOTHING_MISSED } from "./direct-users.ts";
import type { Greeting } from "./greeting.ts";
import type { RoomLink } from "./room-link.ts";
import type { TraceDelivery } from "./trace-delivery.ts";

/** What direct messages need of their edge. */
export interface DirectOptions {
  readonly broker: Broker;
  readonly link: RoomLink;
  readonly limits: Limits;
  readonly welcome: EntranceOptions["welcome"];
  /** Default: no delivery is traced. */
  readonly onTraced?: TraceDelivery | undefined;
  readonly metrics: Metrics;
  readonly log: Logger;
}

const PERMITS = 50_000;

/** Direct messages at this edge, from a client's welcome to its end. */
export class Direct {
  readonly conversations: Conversations;
  readonly permits: DirectPermits;
  readonly #users: DirectUsers;
  readonly #entrance: DirectEntrance;
  readonly #welcome: EntranceOptions["welcome"];

  constructor({ broker, link, limits, welcome, onTraced, metrics, log }: DirectOptions) {
    const { control, epoch } = broker;
    const users = new Map<Uid, DirectUser>();
    this.conversations = new Conversations({ broker, users, onTraced, metrics, log });
    this.permits = new DirectPermits({
      broker,
      link,
      isHere: (uid) => users.has(uid),
      newConversationsPerMinute: limits.newConversationsPerMinute,
      max: PERMITS,
    });
    const cursors = new CursorWriter({ control, epoch, log });
    this.#users = new DirectUsers({ users, conversations: this.conversations, cursors });
    this.#entrance = new DirectEntrance({ link, users: this.#users, epoch, welcome, log });
    this.#welcome = welcome;
  }

  /**
   * Lets a client hear its user's direct messages from the call on; `register` tells the control plane of it. Resolves
   * when it was welcomed and sent what it missed. Never rejects.
   * @param greeting undefined when it was welcomed already, being new.
   */
  async enter(connection: Connection, greeting: Greeting | undefined, register: () => void): Promise<void> {
    const listener = this.#users.enter(connection.user.uid, connection.id, connection.outbox);
    connection.direct = listener;
    register();
    if (greeting !== undefined && !greeting.isNew) return await this.#entrance.enter(connection, listener, greeting);
    if (greeting !== undefined) this.#welcome(connection, greeting.id, []);
    this.#users.begin(listener, NOTHING_MISSED);
  }

  /** A client hears nothing more. */
  leave({ direct }: Connection): void {
    if (direct !== undefined) this.#users.leave(direct);
  }

  /** A client's socket is gone. @param answered its Close frame came before. */
  ended({ direct }: Connection, answered: boolean): void {
    if (direct !== undefined) this.#users.ended(direct, answered);
  }

  /** The control plane says who takes whose messages. */
  onBlock({ uid, blockedUid, blocked }: BlockChanged): void {
    this.permits.change(uid as Uid, blockedUid as Uid, blocked);
  }

  /** Resolves when cursors are stored, as far as that goes quickly. */
  async close(): Promise<void> {
    await this.#users.close();
    this.conversations.close();
  }
}
