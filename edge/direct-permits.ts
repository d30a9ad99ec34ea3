import type { Broker } from "../broker/broker.ts";
import { controlKeys } from "../services/control-keys.ts";
import { ConversationLimit } from "../services/conversation-limit.ts";
import { RoomError } from "../services/errors.ts";
import { directRoom, type Uid } from "../services/ids.ts";
import type { RoomLink } from "./room-link.ts";

/** What permits need. */
export interface DirectPermitsOptions {
  readonly link: Pick<RoomLink, "attached" | "request">;
  readonly broker: Broker;
  /** True when the user is connected to this edge. */
  readonly isHere: (uid: Uid) => boolean;
  readonly newConversationsPerMinute: number;
  /** Pairs remembered; those not used for longest are forgotten. */
  readonly max: number;
}

interface Known {
  readonly permitted: boolean;
  /** False once the control plane may have said otherwise unheard. */
  readonly fresh: boolean;
}

/**
 * Who may write to whom, as the control plane said: asked once for each pair, and again after each break of the link.
 * Those who ask while the answer is on its way share it, and go on in the order they asked.
 *
 * Without a control plane what is known goes on holding, and of other pairs the store is asked: whether the recipient
 * exists, and whether it has blocked the sender.
 */
export class DirectPermits {
  readonly #options: DirectPermitsOptions;
  readonly #known = new Map<string, Known>();
  readonly #asking = new Map<string, Promise<void>>();
  readonly #limit: ConversationLimit;

  constructor(options: DirectPermitsOptions) {
    this.#options = options;
    this.#limit = new ConversationLimit({ perMinute: options.newConversationsPerMinute });
  }

  /**
   * Resolves when a user may write to another; `clientId` is the connection that asks.
   * @throws RoomError permission_denied, invalid_argument, rate_limited, unavailable.
   */
  need(clientId: string, from: Uid, to: Uid): Promise<void> {
    const pair = `${from}>${to}`;
    const asking = this.#asking.get(pair);
    if (asking !== undefined) return asking;
    const { attached } = this.#options.link;
    const known = this.#known.get(pair);
    if (known !== undefined && (known.fresh || !attached)) {
      this.#set(pair, known);
      return known.permitted ? Promise.resolve() : Promise.reject(blocked());
    }
    const answer = (attached ? this.#ask(clientId, pair, from, to) : this.#look(pair, from, to)).finally(() =>
      this.#asking.delete(pair),
    );
    this.#asking.set(pair, answer);
    return answer;
  }

  /** A user takes another's messages no more, or again. */
  change(uid: Uid, other: Uid, isBlocked: boolean): void {
    const pair = `${other}>${uid}`;
    if (isBlocked) this.#set(pair, { permitted: false, fresh: true });
    else this.#known.delete(pair);
  }

  /** The link was broken: what changed meanwhile was not heard. */
  expire(): void {
    for (const [pair, { permitted }] of this.#known) this.#known.set(pair, { permitted, fresh: false });
  }

  #ask(clientId: string, pair: string, from: Uid, to: Uid): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#options.link.request({ case: "openConversation", value: { clientId, toUid: to } }, (outcome) => {
      // At once, not in a later turn: a change that follows the answer on the stream must find it.
      if (outcome.ok) {
        this.#set(pair, { permitted: true, fresh: true });
        resolve();
      } else if (outcome.error.reason === "unavailable") {
        resolve(this.#fallBack(pair, from, to));
      } else {
        if (outcome.error.reason === "permission_denied") this.#set(pair, { permitted: false, fresh: true });
        reject(outcome.error);
      }
    });
    return promise;
  }

  async #fallBack(pair: string, from: Uid, to: Uid): Promise<void> {
    const known = this.#known.get(pair);
    if (known === undefined) return this.#look(pair, from, to);
    if (!known.permitted) throw blocked();
  }

  /** Asks the store itself. */
  async #look(pair: string, from: Uid, to: Uid): Promise<void> {
    const { broker, isHere } = this.#options;
    const room = directRoom(from, to);
    if (room === undefined) throw new RoomError("invalid_argument", "to_uid is yourself");
    const [user, block, { events, floor }] = await Promise.all([
      broker.control.get(controlKeys.user(to)),
      broker.control.get(controlKeys.block(to, from)),
      broker.history(room, { limit: 1 }),
    ]);
    if (block?.value !== undefined) throw blocked();
    // Who came while nobody registered users is known where they are.
    if (user?.value === undefined && !isHere(to)) {
      throw new RoomError("unavailable", "nobody can tell now whether this user exists");
    }
    if (events.length === 0 && floor === 0) this.#limit.take(from);
    this.#set(pair, { permitted: true, fresh: false });
  }

  #set(pair: string, known: Known): void {
    this.#known.delete(pair);
    this.#known.set(pair, known);
    if (this.#known.size > this.#options.max) this.#known.delete(this.#known.keys().next().value as string);
  }
}

function blocked(): RoomError {
  return new RoomError("permission_denied", "this user takes no direct messages from you");
}
