import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Broker, StoredEvent, Unsubscribe } from "../../broker/broker.ts";
import { directUsers, type RoomId, SERVICE_UID_PREFIX, type Uid } from "../ids.ts";
import { within } from "../within.ts";
import type { Head } from "./digests.ts";
import { SharedReads } from "./shared-reads.ts";
import type { SharedTail } from "./watch-tail.ts";

/** Where one of a user's conversations stands. */
export interface ConversationHead {
  readonly room: RoomId;
  /** The other user. */
  readonly other: Uid;
  /** Seq of its latest event. */
  readonly seq: number;
  /** When that was stored, in milliseconds since 1970. */
  readonly sentMs: number;
}

/** How much is remembered. */
export interface ConversationLimits {
  /** How much of the log is read at start, in seqs. */
  readonly lookBack: number;
  /** Conversations of one user: the latest. */
  readonly perUser: number;
  /** Conversations of all users, each counted for both of its users; users who were silent for longest are forgotten. */
  readonly total: number;
}

/** Reading 2,000,000 events takes some 15 s of CPU, in the background; 500,000 entries take at most 150 MB. */
const LIMITS: ConversationLimits = { lookBack: 2_000_000, perUser: 1_000, total: 500_000 };
/** How long a question may wait until the log was read up to its end, in milliseconds. */
const READ_MS = 1_000;

interface UserConversations {
  /** As the user's latest message says. */
  name: string;
  /** Greatest seq of a conversation that was forgotten. */
  from: number;
  /** By room, the latest last. */
  readonly heads: Map<RoomId, ConversationHead>;
}

/**
 * Every user's direct conversations and where they end, folded from the log: what was stored by reading it once, which
 * keeps nobody else waiting, and live from the shared tail. Memory is bounded; what is forgotten raises `since`, so that
 * nobody takes it for everything.
 */
export class Conversations {
  readonly #broker: Broker;
  readonly #tail: SharedTail;
  readonly #limits: ConversationLimits;
  /** The one with the latest event last. */
  readonly #users = new Map<string, UserConversations>();
  readonly #ends = new SharedReads<number>();
  readonly #unlisten: Unsubscribe;
  /** Live events that come while the past is read: the latest of each conversation, in the order of the log. */
  #waiting: Map<RoomId, StoredEvent> | undefined = new Map();
  #stopReading: Unsubscribe = () => undefined;
  readonly #ready = Promise.withResolvers<void>();
  /** What of the log was there before: read after the one position, up to the other. */
  #readFrom = 0;
  #readTo = 0;
  #entries = 0;
  #from = 0;

  constructor(options: { broker: Broker; tail: SharedTail; limits?: Partial<ConversationLimits> }) {
    this.#broker = options.broker;
    this.#tail = options.tail;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#unlisten = options.tail.listen((stored) => this.#hear(stored));
  }

  /** Begins to read the past; to be called when the tail has started. @throws RoomError unavailable. */
  async start(): Promise<void> {
    this.#readTo = await this.#broker.logEnd();
    this.#readFrom = Math.max(0, this.#readTo - this.#limits.lookBack);
    const hear = (stored: StoredEvent): void => {
      if (stored.seq <= this.#readTo) this.#fold(stored);
    };
    const stop = await this.#broker.tail(this.#readFrom, hear, () => this.#goLive());
    if (this.#waiting === undefined) stop();
    else this.#stopReading = stop;
  }

  /** Stops following the log. */
  close(): void {
    this.#unlisten();
    this.#stopReading();
  }

  /** Conversations remembered, each counted for both of its users. */
  get size(): number {
    return this.#entries;
  }

  /**
   * Resolves once every event stored before the call is folded, with a position up to which that is so.
   * @throws RoomError unavailable.
   */
  async current(): Promise<number> {
    const end = await this.#ends.read("", () => this.#broker.logEnd());
    if (this.#waiting !== undefined) await within(READ_MS, this.#ready.promise);
    await this.#tail.reached(end, READ_MS);
    return end;
  }

  /**
   * Heads of these users' conversations that grew after a position, and the position up to which these are all. Waits
   * until the past was read.
   */
  async grown(uids: Iterable<Uid>, after: number): Promise<{ readonly heads: readonly Head[]; readonly seq: number }> {
    await this.#ready.promise;
    const heads = new Map<RoomId, Head>();
    for (const uid of uids) {
      for (const { room, seq } of this.of(uid)) {
        if (seq <= after) break;
        heads.set(room, { room, seq });
      }
    }
    return { heads: [...heads.values()], seq: this.#tail.position };
  }

  /** Position after which every event of the user's conversations is accounted for. */
  since(uid: Uid): number {
    return Math.max(this.#readFrom, this.#from, this.#users.get(uid)?.from ?? 0);
  }

  /** True when a conversation of this user that is not remembered does not exist. */
  knowsAll(uid: Uid): boolean {
    return this.#waiting === undefined && this.since(uid) === 0;
  }

  /** A user's conversations, latest first. */
  of(uid: Uid): readonly ConversationHead[] {
    return [...(this.#users.get(uid)?.heads.values() ?? [])].reverse();
  }

  /** True when the conversation is remembered; false says nothing. */
  knows(room: RoomId): boolean {
    return (directUsers(room) ?? []).some((uid) => this.#users.get(uid)?.heads.has(room));
  }

  /** A user's display name in the latest message; undefined when none is remembered. */
  nameOf(uid: Uid): string | undefined {
    return this.#users.get(uid)?.name || undefined;
  }

  #hear(stored: StoredEvent): void {
    if (this.#waiting === undefined) {
      if (stored.seq > this.#readTo) this.#fold(stored);
    } else if (directUsers(stored.room) !== undefined) {
      this.#waiting.delete(stored.room);
      this.#waiting.set(stored.room, stored);
    }
  }

  #goLive(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const [, stored] of waiting) if (stored.seq > this.#readTo) this.#fold(stored);
    this.#stopReading();
    this.#ready.resolve();
  }

  #fold({ room, seq, event }: StoredEvent): void {
    const users = directUsers(room);
    if (users === undefined) return;
    const sentMs = event.sent === undefined ? 0 : timestampMs(event.sent);
    const [a, b] = users;
    this.#remember(a, { room, other: b, seq, sentMs });
    this.#remember(b, { room, other: a, seq, sentMs });
    const author = event.body.case === "message" ? event.body.value : undefined;
    const known = this.#users.get(author?.uid ?? "");
    if (author !== undefined && known !== undefined) known.name = author.username;
    this.#forgetUsers();
  }

  #remember(uid: Uid, head: ConversationHead): void {
    // Nobody logs in as a service, and one that writes to everybody would be remembered with all of them.
    if (uid.startsWith(SERVICE_UID_PREFIX)) return;
    const user = this.#users.get(uid) ?? { name: "", from: 0, heads: new Map<RoomId, ConversationHead>() };
    const { heads } = user;
    this.#users.delete(uid);
    this.#users.set(uid, user);
    if (heads.delete(head.room)) this.#entries--;
    heads.set(head.room, head);
    this.#entries++;
    if (heads.size <= this.#limits.perUser) return;
    const [oldest] = heads.values();
    if (oldest === undefined) return;
    heads.delete(oldest.room);
    this.#entries--;
    user.from = Math.max(user.from, oldest.seq);
  }

  #forgetUsers(): void {
    for (const [uid, { heads }] of this.#users) {
      if (this.#entries <= this.#limits.total) return;
      this.#users.delete(uid);
      this.#entries -= heads.size;
      // The latest is the last; whoever is forgotten had nothing after it.
      for (const { seq } of heads.values()) this.#from = Math.max(this.#from, seq);
    }
  }
}
