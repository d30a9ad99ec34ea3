import type { Broker, StoredEvent, Unsubscribe } from "../broker/broker.ts";
import type { Digest } from "../gen/baccarat/v1/edge_service_pb.ts";
import { directUsers, type RoomId, type Uid } from "../services/ids.ts";
import type { Logger } from "../services/log.ts";
import type { Metrics } from "../services/metrics.ts";
import type { DirectPosition } from "./direct-position.ts";
import { DirectProgress } from "./direct-progress.ts";
import { Feed, type FeedListener, type FeedSource } from "./feed.ts";
import { encodeEvent, encodeReset, textFrame } from "./frame-encoders.ts";
import { Limiter } from "./limiter.ts";
import { Timers } from "./timers.ts";
import type { TraceDelivery } from "./trace-delivery.ts";

/** Hears a user's direct frames. `seq` is 0 for what is no event. */
export interface DirectHearer {
  hear(room: RoomId, seq: number, frame: Buffer): void;
}

/** What conversations need. */
export interface ConversationsOptions {
  readonly broker: Broker;
  /** The users here, whose frames are passed on to them; they come and go. */
  readonly users: ReadonlyMap<Uid, DirectHearer>;
  /** Default: no delivery is traced. */
  readonly onTraced?: TraceDelivery | undefined;
  readonly metrics: Metrics;
  readonly log: Logger;
}

interface Conversation {
  readonly feed: Feed;
  readonly users: readonly Uid[];
  /** When its last event was heard, by performance.now(). */
  heardAt: number;
}

const READS = 4;
const IDLE_MS = 60_000;
const SWEEP_MS = 5_000;
/** Conversations whose chain is checked; beyond that those that were idle for longest are let go. */
const MAX_CONVERSATIONS = 10_000;
/** Conversations a position names; of others it says less than is true. */
const MAX_AHEAD = 100;
const NONE_AHEAD: ReadonlyMap<RoomId, number> = new Map();
/** A head from the control plane may be ahead of the live event on its way here; what is still missing then was lost. */
const DIGEST_PATIENCE_MS = 500;

/**
 * Direct messages at this edge. One subscription hears all of them, and those of users who are connected here are passed
 * on. While a conversation is going on its chain is checked like a room's. What was lost before it began shows in the
 * control plane's digests: up to `progress.seq` every direct event of the users here was passed on.
 */
export class Conversations {
  readonly #options: ConversationsOptions;
  readonly #users: ReadonlyMap<Uid, DirectHearer>;
  readonly #conversations = new Map<RoomId, Conversation>();
  readonly #roomsOf = new Map<Uid, Set<RoomId>>();
  readonly #progress: DirectProgress;
  readonly #reads = new Limiter(READS);
  readonly #unsubscribes: Unsubscribe[] = [];
  readonly #timers = new Timers();
  /** The latest position without anything ahead: every connection keeps one, and of most users it is the same. */
  #plain: DirectPosition = { seq: 0, ahead: NONE_AHEAD };

  constructor(options: ConversationsOptions) {
    this.#options = options;
    this.#users = options.users;
    this.#progress = new DirectProgress({ last: (room) => this.#last(room) });
    this.#timers.every(SWEEP_MS, () => this.#sweep());
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

  /** Position up to which every direct event of the users here was passed on; 0 when not known. */
  get position(): number {
    return this.#progress.seq;
  }

  /** Where a user stands who was given everything up to `from` and heard everything since then. */
  positionOf(uid: Uid, from: number): DirectPosition {
    const seq = Math.max(from, this.#progress.seq);
    let ahead: Map<RoomId, number> | undefined;
    for (const room of this.#roomsOf.get(uid) ?? []) {
      const last = this.#conversations.get(room)?.feed.last ?? 0;
      if (last <= seq || (ahead?.size ?? 0) >= MAX_AHEAD) continue;
      ahead ??= new Map();
      ahead.set(room, last);
    }
    if (ahead !== undefined) return { seq, ahead };
    if (this.#plain.seq !== seq) this.#plain = { seq, ahead: NONE_AHEAD };
    return this.#plain;
  }

  /** Compares conversations' ends as the control plane sees them with what was heard. */
  digest({ heads, after, seq }: Digest): void {
    const own = heads.flatMap((head) => {
      const room = head.roomId as RoomId;
      // Before the first digest nothing says from where on a conversation that was not heard is to be read.
      const isKnown = this.#progress.seq > 0 || this.#conversations.has(room);
      return this.#isOfUsersHere(room) && isKnown ? [{ room, seq: Number(head.seq) }] : [];
    });
    this.#progress.expect(own, Number(after), Number(seq));
    if (this.#progress.behind.length > 0) this.#timers.after(DIGEST_PATIENCE_MS, () => void this.#checkBehind());
  }

  /** Stops hearing. */
  close(): void {
    this.#timers.close();
    for (const unsubscribe of this.#unsubscribes) unsubscribe();
    for (const { feed } of this.#conversations.values()) feed.close();
    this.#conversations.clear();
    this.#roomsOf.clear();
  }

  #isOfUsersHere(room: RoomId): boolean {
    return directUsers(room)?.some((uid) => this.#users.has(uid)) ?? false;
  }

  /** Up to where a conversation was heard. Nobody waits for one of which both users are gone. */
  #last(room: RoomId): number {
    if (!this.#isOfUsersHere(room)) return Number.POSITIVE_INFINITY;
    return this.#conversations.get(room)?.feed.last ?? 0;
  }

  #hear(stored: StoredEvent): void {
    const users = directUsers(stored.room);
    if (!users?.some((uid) => this.#users.has(uid))) return;
    const conversation = this.#conversations.get(stored.room) ?? this.#begin(stored, users);
    conversation.heardAt = performance.now();
    conversation.feed.onEvent(stored);
  }

  /**
   * Where a conversation stood before its first event here, that event says; but what came after the position up to which
   * everything was passed on was not heard.
   */
  #begin({ room, prevSeq }: StoredEvent, users: readonly Uid[]): Conversation {
    const known = this.#progress.seq;
    return this.#open(room, users, known > 0 ? Math.min(prevSeq, known) : prevSeq);
  }

  #open(room: RoomId, users: readonly Uid[], from: number): Conversation {
    const { broker, metrics, log } = this.#options;
    const source: FeedSource = {
      subscribe: () => Promise.resolve(() => undefined),
      roomEnd: () => Promise.resolve(from),
      history: (_, range) => broker.history(room, range),
    };
    const listener: FeedListener = {
      onEvent: (json, { seq }) => this.#send(room, users, json, seq),
      onSignal: () => undefined,
      onReset: (seq, reason) => this.#send(room, users, encodeReset({ room, epoch: broker.epoch, seq, reason }), 0),
    };
    // Nothing is kept at hand: what a client asks for is read from the log.
    const ring = { push: (stored: StoredEvent) => encodeEvent(stored, broker.epoch), reset: () => undefined };
    const feed = new Feed(
      { source, reads: this.#reads, rechecksMs: [], onTraced: this.#options.onTraced, metrics, log },
      { id: room, ring, listener },
    );
    const conversation: Conversation = { feed, users, heardAt: performance.now() };
    this.#conversations.set(room, conversation);
    for (const uid of users) this.#roomsOf.set(uid, (this.#roomsOf.get(uid) ?? new Set()).add(room));
    void feed.open();
    return conversation;
  }

  /** Reads what digests told of and was not heard. */
  async #checkBehind(): Promise<void> {
    await Promise.all(
      this.#progress.behind.map(async (room) => {
        const users = directUsers(room) ?? [];
        const { feed } = this.#conversations.get(room) ?? this.#open(room, users, this.#progress.seq);
        await feed.check();
      }),
    );
    this.#progress.settle();
  }

  #send(room: RoomId, users: readonly Uid[], json: string, seq: number): void {
    const frame = textFrame(json);
    for (const uid of users) this.#users.get(uid)?.hear(room, seq, frame);
  }

  #sweep(): void {
    this.#progress.settle();
    if (this.#progress.behind.length > 0) void this.#checkBehind();
    const longAgo = performance.now() - IDLE_MS;
    for (const [room, conversation] of this.#conversations) {
      const { feed, heardAt } = conversation;
      // As long as positions must name it, it is needed; but not at any price.
      const needed = feed.last > this.#progress.seq && this.#conversations.size <= MAX_CONVERSATIONS;
      if (heardAt <= longAgo && !needed) this.#let(room, conversation);
    }
  }

  #let(room: RoomId, { feed, users }: Conversation): void {
    feed.close();
    this.#conversations.delete(room);
    for (const uid of users) {
      const rooms = this.#roomsOf.get(uid);
      if (rooms?.delete(room) && rooms.size === 0) this.#roomsOf.delete(uid);
    }
  }
}
