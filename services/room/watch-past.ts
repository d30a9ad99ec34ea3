import type { Broker, StoredEvent } from "../../broker/broker.ts";
import { RoomError } from "../errors.ts";
import type { RoomId } from "../ids.ts";
import { FIXED } from "../limits.ts";
import { eachBounded } from "./each-bounded.ts";
import { eventBytes } from "./stored-events.ts";

/** A piece of what was stored. */
export interface PastPage {
  /** In the order of seq. */
  readonly events: readonly StoredEvent[];
  /** Every event wanted up to here has been given. */
  readonly cursor: number;
}

/** What was stored for a watcher before it came. */
export interface Past {
  /** Finds out whether reading may begin after a position. @throws RoomError too_old, unavailable. */
  check(after: number): Promise<void>;
  /**
   * Reads everything with `after` < seq ≤ `upTo`, where the log has come as far as `upTo`.
   * @throws RoomError too_old when retention takes something before it was read, unavailable.
   */
  read(after: number, upTo: number): AsyncIterable<PastPage>;
}

/** One room's past, by its history. */
export class RoomPast implements Past {
  readonly #broker: Broker;
  readonly #room: RoomId;

  constructor(options: { broker: Broker; room: RoomId }) {
    this.#broker = options.broker;
    this.#room = options.room;
  }

  async check(after: number): Promise<void> {
    requireWhole(after, (await this.#broker.position(this.#room)).floor);
  }

  async *read(after: number, upTo: number): AsyncGenerator<PastPage> {
    let cursor = after;
    while (cursor < upTo) {
      const range = { after: cursor, limit: FIXED.historyEvents, maxBytes: FIXED.historyBytes };
      const { events, hasMore, floor } = await this.#broker.history(this.#room, range);
      requireWhole(cursor, floor);
      cursor = hasMore ? Math.min(upTo, events.at(-1)?.seq ?? upTo) : upTo;
      yield { events: events.filter(({ seq }) => seq <= upTo), cursor };
    }
  }
}

/** Rooms asked for their floors at once. */
const POSITIONS = 16;
/** Events of a page: of those that are wanted, and of all that are heard on the way, so that a watcher hears something. */
const PAGE = { events: 500, bytes: FIXED.historyBytes, heard: 50_000 };
/** How far back of the whole log's end reading may begin, in seqs: it takes the time of all events, wanted or not. */
const MAX_BACK = 1_000_000;

/**
 * The past of all rooms that are wanted, by reading the whole log. Retention leaves holes there without a trace: the
 * log's beginning and the floor of every room that turns up show them. A room that does not turn up has lost nothing but
 * at the beginning, since a room's newest event goes in no other way.
 */
export class LogPast implements Past {
  readonly #broker: Broker;
  readonly #wants: (room: RoomId) => boolean;
  readonly #signal: AbortSignal;
  /** Up to where rooms that turned up are known to be whole; the others are since reading began. */
  readonly #whole = new Map<RoomId, number>();
  #began: number | undefined;

  /** @param options.signal ends a page that is being read. */
  constructor(options: { broker: Broker; wants: (room: RoomId) => boolean; signal: AbortSignal }) {
    this.#broker = options.broker;
    this.#wants = options.wants;
    this.#signal = options.signal;
  }

  async check(after: number): Promise<void> {
    const [start, end] = await Promise.all([this.#broker.logStart(), this.#broker.logEnd()]);
    requireWhole(after, Math.max(start, end - MAX_BACK));
  }

  async *read(after: number, upTo: number): AsyncGenerator<PastPage> {
    this.#began ??= after;
    let cursor = after;
    while (cursor < upTo && !this.#signal.aborted) {
      const page = await this.#page(cursor, upTo);
      // Asked after reading: what retention took up to now may be missing in the page.
      requireWhole(cursor, await this.#broker.logStart());
      await eachBounded(new Set(page.events.map(({ room }) => room)), POSITIONS, async (room) => {
        const { floor } = await this.#broker.position(room);
        requireWhole(this.#whole.get(room) ?? this.#began ?? after, floor);
        this.#whole.set(room, page.cursor);
      });
      yield page;
      cursor = page.cursor;
    }
  }

  async #page(after: number, upTo: number): Promise<PastPage> {
    const events: StoredEvent[] = [];
    const left = { ...PAGE };
    const full = Promise.withResolvers<void>();
    let cursor = after;
    let done = false;
    const finish = (): void => {
      done = true;
      full.resolve();
    };
    const hear = (stored: StoredEvent): void => {
      if (done) return;
      cursor = Math.min(stored.seq, upTo);
      if (stored.seq <= upTo && this.#wants(stored.room)) {
        events.push(stored);
        left.events--;
        left.bytes -= eventBytes(stored.event);
      }
      left.heard--;
      if (cursor === upTo || Math.min(left.events, left.bytes, left.heard) <= 0) finish();
    };
    const timer = setTimeout(finish, FIXED.requestMs);
    this.#signal.addEventListener("abort", finish);
    try {
      const unsubscribe = await this.#broker.tail(after, hear, () => {
        if (!done) cursor = upTo;
        finish();
      });
      await full.promise;
      unsubscribe();
    } finally {
      clearTimeout(timer);
      this.#signal.removeEventListener("abort", finish);
    }
    if (cursor === after) throw new RoomError("unavailable", "the log could not be read in time");
    return { events, cursor };
  }
}

function requireWhole(after: number, floor: number): void {
  if (after >= floor) return;
  throw new RoomError("too_old", "retention dropped events after this position; read the rooms anew", {
    metadata: { floor: String(floor) },
  });
}
