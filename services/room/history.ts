import type { Broker, HistoryPage, HistoryRange, StoredEvent } from "../../broker/broker.ts";
import type { Event, Position } from "../../gen/baccarat/v1/event_pb.ts";
import type { Message } from "../../gen/baccarat/v1/message_pb.ts";
import { RoomError } from "../errors.ts";
import type { RoomId } from "../ids.ts";
import { FIXED } from "../limits.ts";
import { decodePageToken, encodePageToken, pageNumber, pageSize } from "./paging.ts";
import type { Rooms } from "./rooms.ts";
import { SharedReads } from "./shared-reads.ts";
import { eventBytes, toEvent, toFullEvent, toMessage } from "./stored-events.ts";

/** Which page of a room's log; as in ListEventsRequest. */
export interface LogRequest {
  readonly room: RoomId;
  readonly pageSize: number;
  readonly pageToken: string;
  /** 0: from the end. At most one of beforeSeq and afterSeq. */
  readonly beforeSeq: bigint;
  readonly afterSeq: bigint;
}

/** A page of a room's log, oldest first. */
export interface LogPage<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string;
  readonly epoch: string;
}

/** What a joining client is given. */
export interface Recovery {
  /** Every event up to here is stored; a position taken after the call. */
  readonly seq: number;
  /** All events after `since` when recovered, else the latest ones asked for. Oldest first. */
  readonly events: readonly Event[];
  readonly recovered: boolean;
  /** Why not: epoch_changed, too_old, too_many, unknown_position; empty when recovered, or when that was not asked. */
  readonly reason: string;
}

/** Reads of a page of messages before it is left short: what a page lacks of them is found behind the next token. */
const MAX_READS = 8;

/** Reads rooms' logs. Identical reads that come at once share one. All methods throw RoomError unavailable. */
export class History {
  readonly #broker: Broker;
  readonly #rooms: Rooms;
  readonly #pages = new SharedReads<HistoryPage>();
  readonly #roomEnds = new SharedReads<number>();
  readonly #ends = new SharedReads<number>();

  constructor(options: { broker: Broker; rooms: Rooms }) {
    this.#broker = options.broker;
    this.#rooms = options.rooms;
  }

  /** Epoch of every position given here. */
  get epoch(): string {
    return this.#broker.epoch;
  }

  /** A page of everything stored in a room. @throws RoomError room_not_found, invalid_argument. */
  async listEvents(request: LogRequest): Promise<LogPage<Event>> {
    return this.#list("events", request, (stored) => toFullEvent(stored, this.epoch));
  }

  /** A page of a room's messages, without deletions and custom events. @throws RoomError room_not_found, invalid_argument. */
  async listMessages(request: LogRequest): Promise<LogPage<Message>> {
    return this.#list("messages", request, (stored) => toMessage(stored, this.epoch));
  }

  /** A page for a client: the latest events before, or the earliest after. @throws RoomError invalid_argument. */
  async read(
    room: RoomId,
    range: { limit: number; forward: boolean; beforeSeq: bigint; afterSeq: bigint },
  ): Promise<{ events: Event[]; hasMore: boolean }> {
    const limit = checkedCount("limit", range.limit, 1);
    const { events, hasMore } = await this.#page(
      room,
      range.forward ? { limit, after: Number(range.afterSeq) } : { limit, before: beforeOrEnd(range.beforeSeq) },
    );
    return { events: events.map(toEvent), hasMore };
  }

  /**
   * What a client missed after `since`, all or nothing; or, when that cannot be told or was not asked, the latest events.
   * @param latest how many events to give when not recovering, 0–300.
   * @throws RoomError invalid_argument.
   */
  async recover(room: RoomId, since: Position | undefined, latest: number): Promise<Recovery> {
    checkedCount("history", latest, 0);
    if (since === undefined) return this.#latest(room, latest, "");
    if (since.epoch !== this.epoch) return this.#latest(room, latest, "epoch_changed");
    const after = Number(since.seq);
    const page = await this.#page(room, { limit: FIXED.historyEvents, after });
    const reason = await this.#whyNot(after, page);
    if (reason !== "") return this.#latest(room, latest, reason);
    return { seq: page.seq, events: page.events.map(toEvent), recovered: true, reason };
  }

  /** The event stored at a position of a room; undefined when there is none, or it was deleted or dropped. */
  async find(room: RoomId, seq: number): Promise<StoredEvent | undefined> {
    const { events } = await this.#page(room, { limit: 1, after: seq - 1 });
    return events.find((stored) => stored.seq === seq);
  }

  /** The deletion of the event at a position, which is stored after it. Reads what retention shows, latest first. */
  async findDeletion(room: RoomId, seq: number): Promise<StoredEvent | undefined> {
    let before: number | undefined;
    for (;;) {
      const page = await this.#page(room, { limit: FIXED.historyEvents, before });
      const found = page.events.find(
        ({ event: { body } }) => body.case === "deletion" && body.value.deletedSeq === BigInt(seq),
      );
      before = page.events[0]?.seq ?? 0;
      if (found !== undefined || !page.hasMore || before <= seq) return found;
    }
  }

  async #whyNot(after: number, page: HistoryPage): Promise<string> {
    // page.seq may be short of the log's end, and a client may have been given any position up to that.
    if (after > page.seq && after > (await this.#ends.read("", () => this.#broker.logEnd()))) return "unknown_position";
    if (after < page.floor) return "too_old";
    return page.hasMore ? "too_many" : "";
  }

  async #latest(room: RoomId, limit: number, reason: string): Promise<Recovery> {
    if (limit === 0) {
      const seq = await this.#roomEnds.read(room, () => this.#broker.roomEnd(room));
      return { seq, events: [], recovered: false, reason };
    }
    const { seq, events } = await this.#page(room, { limit, before: undefined });
    return { seq, events: events.map(toEvent), recovered: false, reason };
  }

  #page(
    room: RoomId,
    range: { limit: number; maxBytes?: number } & ({ after: number } | { before: number | undefined }),
  ): Promise<HistoryPage> {
    const { limit, maxBytes = FIXED.historyBytes } = range;
    const full: HistoryRange =
      "after" in range
        ? { limit, maxBytes, after: range.after }
        : { limit, maxBytes, ...(range.before !== undefined && { before: range.before }) };
    return this.#pages.read(JSON.stringify([room, full]), () => this.#broker.history(room, full));
  }

  /** Reads on until the page is full of what `pick` takes, or ends. */
  async #list<T>(kind: string, request: LogRequest, pick: (stored: StoredEvent) => T | undefined): Promise<LogPage<T>> {
    const { room, beforeSeq, afterSeq } = request;
    this.#rooms.access(room);
    if (beforeSeq > 0n && afterSeq > 0n) {
      throw new RoomError("invalid_argument", "at most one of before_seq and after_seq");
    }
    const forward = afterSeq > 0n;
    const scope = [kind, room, String(beforeSeq), String(afterSeq)];
    const size = pageSize(request.pageSize, FIXED.historyDefault, FIXED.historyEvents);
    const token = decodePageToken(scope, request.pageToken);
    let at = token === undefined ? (forward ? Number(afterSeq) : beforeOrEnd(beforeSeq)) : pageNumber(token);
    let bytes = FIXED.historyBytes;
    const items: T[] = [];
    const done = (more: boolean): LogPage<T> => ({
      items: forward ? items : items.reverse(),
      nextPageToken: more ? encodePageToken(scope, String(at)) : "",
      epoch: this.epoch,
    });
    for (let reads = 0; reads < MAX_READS; reads++) {
      const bounds = { limit: reads === 0 ? size : FIXED.historyEvents, maxBytes: bytes };
      const page = await this.#page(room, forward ? { ...bounds, after: at ?? 0 } : { ...bounds, before: at });
      for (const stored of forward ? page.events : page.events.toReversed()) {
        const item = pick(stored);
        if (item !== undefined) {
          const cost = eventBytes(stored.event);
          if (items.length === size || (items.length > 0 && cost > bytes)) return done(true);
          items.push(item);
          bytes -= cost;
        }
        at = stored.seq;
      }
      if (!page.hasMore) return done(false);
      if (items.length === size || bytes <= 0) return done(true);
    }
    return done(true);
  }
}

/** 0 stands for the end. */
function beforeOrEnd(seq: bigint): number | undefined {
  return seq === 0n ? undefined : Number(seq);
}

function checkedCount(field: string, value: number, min: number): number {
  if (value >= min && value <= FIXED.historyEvents) return value;
  throw new RoomError("invalid_argument", `${field} is ${min} to ${FIXED.historyEvents}`, { metadata: { field } });
}
