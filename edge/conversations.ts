import type { Broker, RoomListener, StoredEvent, Unsubscribe } from "../broker/broker.ts";
import type { RoomHead } from "../gen/baccarat/v1/edge_service_pb.ts";
import { directUsers, type RoomId, type Uid } from "../services/ids.ts";
import type { Logger } from "../services/log.ts";
import type { Metrics } from "../services/metrics.ts";
import { Feed, type FeedListener } from "./feed.ts";
import { encodeReset, textFrame } from "./frame-encoders.ts";
import { Limiter } from "./limiter.ts";
import type { Outbox } from "./outbox.ts";
import { Ring } from "./ring.ts";

/** What conversations need. */
export interface ConversationsOptions {
  readonly broker: Broker;
  readonly metrics: Metrics;
  readonly log: Logger;
}

interface Conversation {
  readonly feed: Feed;
  listener: RoomListener | undefined;
  /** When its last event was heard, by performance.now(). */
  heardAt: number;
}

const READS = 4;
const IDLE_MS = 60_000;
const SWEEP_MS = 5_000;
/** A conversation's ring is there for its feed; nobody reads it. */
const RING = { events: 1, chars: 1, ageMs: 0 };

/**
 * Direct messages at this edge. One subscription hears all of them, and those of users who are connected here are passed
 * on. While a conversation is going on its chain is checked like a room's.
 */
export class Conversations {
  readonly #options: ConversationsOptions;
  readonly #users = new Map<Uid, Set<Outbox>>();
  readonly #conversations = new Map<RoomId, Conversation>();
  readonly #reads = new Limiter(READS);
  readonly #unsubscribes: Unsubscribe[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(options: ConversationsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS);
  }

  /** Subscribes. @throws RoomError unavailable. */
  async start(): Promise<void> {
    const { broker } = this.#options;
    this.#unsubscribes.push(await broker.subscribeDirect((stored) => this.#hear(stored)));
    this.#unsubscribes.push(
      broker.onHealth((health) => {
        if (health.ok) for (const { feed } of this.#conversations.values()) void feed.check();
      }),
    );
  }

  /** A user's connection hears the user's conversations from now on. */
  add(uid: Uid, outbox: Outbox): void {
    const outboxes = this.#users.get(uid);
    if (outboxes) outboxes.add(outbox);
    else this.#users.set(uid, new Set([outbox]));
  }

  /** A connection hears nothing any more. */
  remove(uid: Uid, outbox: Outbox): void {
    const outboxes = this.#users.get(uid);
    outboxes?.delete(outbox);
    if (outboxes?.size === 0) this.#users.delete(uid);
  }

  /** Compares conversations' ends as the control plane sees them with what was heard. */
  digest(heads: readonly RoomHead[]): void {
    for (const head of heads) {
      const conversation = this.#conversations.get(head.roomId as RoomId);
      if (conversation && Number(head.seq) > conversation.feed.last) void conversation.feed.check();
    }
  }

  /** Stops hearing. */
  close(): void {
    clearInterval(this.#timer);
    for (const unsubscribe of this.#unsubscribes) unsubscribe();
    for (const { feed } of this.#conversations.values()) feed.close();
    this.#conversations.clear();
    this.#users.clear();
  }

  #hear(stored: StoredEvent): void {
    const users = directUsers(stored.room);
    if (!users?.some((uid) => this.#users.has(uid))) return;
    const conversation = this.#conversations.get(stored.room) ?? this.#open(stored, users);
    conversation.heardAt = performance.now();
    conversation.listener?.onEvent(stored);
  }

  /** Where a conversation stood before its first event here, only that event says. */
  #open(first: StoredEvent, users: readonly Uid[]): Conversation {
    const { broker, metrics, log } = this.#options;
    const feed = new Feed({
      room: first.room,
      source: {
        subscribe: (listener) => {
          conversation.listener = listener;
          return Promise.resolve(() => undefined);
        },
        position: () => Promise.resolve({ seq: first.prevSeq }),
        history: (range) => broker.history(first.room, range),
      },
      ring: new Ring({ epoch: broker.epoch, limits: RING }),
      reads: this.#reads,
      listener: this.#listener(first.room, users),
      rechecksMs: [],
      metrics,
      log,
    });
    const conversation: Conversation = { feed, listener: undefined, heardAt: 0 };
    this.#conversations.set(first.room, conversation);
    void feed.open();
    return conversation;
  }

  #listener(room: RoomId, users: readonly Uid[]): FeedListener {
    return {
      onEvent: (json) => this.#send(users, json),
      onSignal: () => undefined,
      onReset: (seq, reason) =>
        this.#send(users, encodeReset({ room, epoch: this.#options.broker.epoch, seq, reason })),
    };
  }

  #send(users: readonly Uid[], json: string): void {
    const frame = textFrame(json);
    for (const uid of users) {
      for (const outbox of this.#users.get(uid) ?? []) outbox.push(frame);
    }
  }

  #sweep(): void {
    const longAgo = performance.now() - IDLE_MS;
    for (const [room, { feed, heardAt }] of this.#conversations) {
      if (heardAt > longAgo) continue;
      feed.close();
      this.#conversations.delete(room);
    }
  }
}
