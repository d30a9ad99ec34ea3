import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Broker, HistoryPage, StoredEvent } from "../../broker/broker.ts";
import {
  type CaughtUp,
  CaughtUpSchema,
  type ConversationsPage,
  ConversationsPageSchema,
} from "../../gen/baccarat/v1/edge_service_pb.ts";
import type { Position } from "../../gen/baccarat/v1/event_pb.ts";
import { type Conversation, ConversationSchema } from "../../gen/baccarat/v1/frames_pb.ts";
import { RoomError } from "../errors.ts";
import { type RoomId, SERVICE_UID_PREFIX, type Uid } from "../ids.ts";
import { FIXED } from "../limits.ts";
import type { ConversationHead, Conversations } from "./conversations.ts";
import { type Cursor, type Cursors, NO_CURSOR } from "./cursors.ts";
import { eachBounded } from "./each-bounded.ts";
import type { FoldedClient } from "./folded.ts";
import { cutPage, decodePageToken, pageSize } from "./paging.ts";
import { eventBytes, toEvent } from "./stored-events.ts";
import type { Users } from "./users.ts";

/** Who wants to catch up. */
export interface CatchUpRequest {
  readonly uid: Uid;
  /** Position the client has everything up to. */
  readonly since: Position | undefined;
  /** Nobody knew of this user before: there is nothing to catch up. */
  readonly isNew: boolean;
  /** Connections that this one takes the place of. */
  readonly predecessors: Iterable<FoldedClient>;
}

/** Conversations read for one user: the latest of those with something new. */
const ROOMS = 100;
/** Conversations of one user read at once. */
const READS = 8;

/** What users missed of their direct messages, and which conversations they have. */
export class CatchUp {
  readonly #broker: Broker;
  readonly #conversations: Conversations;
  readonly #cursors: Cursors;
  readonly #users: Users;

  constructor(options: { broker: Broker; conversations: Conversations; cursors: Cursors; users: Users }) {
    this.#broker = options.broker;
    this.#conversations = options.conversations;
    this.#cursors = options.cursors;
    this.#users = options.users;
  }

  /**
   * What a user missed: of every conversation what follows without a hole, the earliest events first, and by name what
   * more there is. Whoever hears the user's conversations live since before the call misses nothing.
   * @throws RoomError unavailable.
   */
  async missed({ uid, since, isNew, predecessors }: CatchUpRequest): Promise<CaughtUp> {
    const seq = await this.#conversations.current();
    const known = this.#known(since, seq);
    let stored = isNew ? NO_CURSOR : await this.#cursors.of(uid);
    let missed = this.#behind(uid, known ?? stored);
    if (missed.length > 0 && known === undefined) {
      // What the last connection was given on its way out must not be given once more.
      await this.#cursors.settled(predecessors);
      stored = await this.#cursors.of(uid);
      missed = this.#behind(uid, stored);
    }
    const from = known ?? stored;
    const { events, truncated } = await this.#read(missed, from);
    return create(CaughtUpSchema, {
      conversations: this.#conversations
        .of(uid)
        .slice(0, FIXED.conversationsShown)
        .map((head) => this.#view(head)),
      seq: BigInt(seq),
      events: events.map(toEvent),
      truncated: [...truncated],
      moreRooms: !isNew && from.seq < this.#conversations.since(uid),
      cursorSeq: BigInt(stored.seq),
    });
  }

  /** A page of a user's conversations, latest first. @throws RoomError invalid_argument, unavailable. */
  async list(uid: Uid, asked: { pageSize: number; pageToken: string }): Promise<ConversationsPage> {
    const scope = ["conversations", uid];
    const from = seqOf(decodePageToken(scope, asked.pageToken));
    const size = pageSize(asked.pageSize, FIXED.conversationsShown, FIXED.pageSize);
    await this.#conversations.current();
    const older = this.#conversations.of(uid).filter((head) => head.seq <= from);
    const { items, nextPageToken } = cutPage(
      older.map((head) => [String(head.seq), head] as const),
      size,
      scope,
    );
    return create(ConversationsPageSchema, { conversations: items.map((head) => this.#view(head)), nextPageToken });
  }

  /** The position as a cursor; undefined when it is none of this log. */
  #known(since: Position | undefined, end: number): Cursor | undefined {
    if (since === undefined || since.epoch !== this.#broker.epoch || Number(since.seq) > end) return undefined;
    return { seq: Number(since.seq), ahead: new Map() };
  }

  #behind(uid: Uid, cursor: Cursor): ConversationHead[] {
    return this.#conversations.of(uid).filter(({ room, seq }) => seq > given(cursor, room));
  }

  async #read(
    missed: readonly ConversationHead[],
    cursor: Cursor,
  ): Promise<{ readonly events: readonly StoredEvent[]; readonly truncated: ReadonlySet<RoomId> }> {
    const truncated = new Set(missed.slice(ROOMS).map(({ room }) => room));
    const found: StoredEvent[] = [];
    await eachBounded(missed.slice(0, ROOMS), READS, async ({ room }) => {
      const after = given(cursor, room);
      const page = await this.#page(room, after);
      // What retention dropped leaves a hole, but to somebody who had nothing.
      const whole = after === 0 || page.floor <= after;
      if (whole) found.push(...page.events);
      if (!whole || page.hasMore) truncated.add(room);
    });
    found.sort((a, b) => a.seq - b.seq);
    const events = found.slice(0, fitting(found));
    for (const { room } of found.slice(events.length)) truncated.add(room);
    return { events, truncated };
  }

  #page(room: RoomId, after: number): Promise<HistoryPage> {
    return this.#broker.history(room, { after, limit: FIXED.directEvents, maxBytes: FIXED.historyBytes });
  }

  #view({ room, other, seq, sentMs }: ConversationHead): Conversation {
    return create(ConversationSchema, {
      roomId: room,
      uid: other,
      username: this.#nameOf(other),
      seq: BigInt(seq),
      sent: timestampFromMs(sentMs),
    });
  }

  #nameOf(uid: Uid): string {
    if (uid.startsWith(SERVICE_UID_PREFIX)) return uid.slice(SERVICE_UID_PREFIX.length);
    return this.#conversations.nameOf(uid) ?? (this.#users.profile(uid)?.username || uid);
  }
}

/** Where a page begins. A token says nothing of who made it, so what is in it is not trusted. @throws RoomError. */
function seqOf(position: string | undefined): number {
  if (position === undefined) return Number.POSITIVE_INFINITY;
  if (/^\d{1,16}$/.test(position)) return Number(position);
  throw new RoomError("invalid_argument", "page_token is not one of this list", { metadata: { field: "page_token" } });
}

function given(cursor: Cursor, room: RoomId): number {
  return Math.max(cursor.seq, cursor.ahead.get(room) ?? 0);
}

/** How many of the events are delivered: the first is always one. */
function fitting(events: readonly StoredEvent[]): number {
  let bytes = 0;
  const end = events.findIndex(({ event }, index) => {
    bytes += eventBytes(event);
    return index >= FIXED.directEvents || (index > 0 && bytes > FIXED.historyBytes);
  });
  return end === -1 ? events.length : end;
}
