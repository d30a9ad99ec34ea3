import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Broker, StoredEvent, Unsubscribe } from "../../broker/broker.ts";
import { directUsers, type RoomId, SERVICE_UID_PREFIX, type Uid } from "../ids.ts";
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

/** How much of the log is read at start, in seqs: some seconds' work. */
export const LOOK_BACK = 2_000_000;

/** How much is remembered. */
export interface ConversationLimits {
  /** Conversations of one user: the latest. */
  readonly perUser: number;
  /** Conversations of all users, each counted for both of its users; users who were silent for longest are forgotten. */
  readonly total: number;
}

/** 500,000 entries take about 100 MB. */
const LIMITS: ConversationLimits = { perUser: 1_000, total: 500_000 };
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
 * Every user's direct conversations and where they end, folded from the log: at start from as much of its end as the tail
 * is told to read, and live from there on. Memory is bounded; what is forgotten raises `since`, so that nobody takes it
 * for everything.
 */
export class Conversations {
  readonly #broker: Broker;
  readonly #tail: SharedTail;
  readonly #limits: ConversationLimits;
  /** The one with the latest event last. */
  readonly #users = new Map<string, UserConversations>();
  readonly #ends = new SharedReads<number>();
  readonly #unlisten: Unsubscribe;
  #entries = 0;
  #from = 0;

  constructor(options: { broker: Broker; tail: SharedTail; limits?: Partial<ConversationLimits> }) {
    this.#broker = options.broker;
    this.#tail = options.tail;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#unlisten = options.tail.listen((stored) => this.#hear(stored));
  }

  /** Stops following the log. */
  close(): void {
    this.#unlisten();
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
    await this.#tail.reached(end, READ_MS);
    return end;
  }

  /**
   * Heads of these users' conversations that grew after a position, and the position up to which these are all. Waits
   * until the log was read.
   */
  async grown(uids: Iterable<Uid>, after: number): Promise<{ readonly heads: readonly Head[]; readonly seq: number }> {
    await this.#tail.ready;
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
    return Math.max(this.#tail.from, this.#from, this.#users.get(uid)?.from ?? 0);
  }

  /** True when a conversation of this user that is not remembered does not exist. */
  knowsAll(uid: Uid): boolean {
    return this.#tail.caughtUp && this.since(uid) === 0;
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

  #hear({ room, seq, event }: StoredEvent): void {
    const users = directUsers(room);
    if (users === undefined) return;
    const sentMs = event.sent === undefined ? 0 : timestampMs(event.sent);
    const [a, b] = users;
    this.#fold(a, { room, other: b, seq, sentMs });
    this.#fold(b, { room, other: a, seq, sentMs });
    const author = event.body.case === "message" ? event.body.value : undefined;
    const known = this.#users.get(author?.uid ?? "");
    if (author !== undefined && known !== undefined) known.name = author.username;
    this.#forgetUsers();
  }

  #fold(uid: Uid, head: ConversationHead): void {
    // Nobody logs in as a service, and one that writes to everybody would be remembered with all of them.
    if (uid.startsWith(SERVICE_UID_PREFIX)) return;
    const user = this.#users.get(uid) ?? { name: "", from: 0, heads: new Map<RoomId, ConversationHead>() };
    this.#users.delete(uid);
    this.#users.set(uid, user);
    const { heads } = user;
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
