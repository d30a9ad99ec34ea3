import type { Broker, HistoryPage, RoomListener, StoredEvent, Unsubscribe } from "../broker/broker.ts";
import type { Signal } from "../gen/baccarat/v1/event_pb.ts";
import { backoffMs } from "../services/backoff.ts";
import type { RoomId } from "../services/ids.ts";
import { FIXED } from "../services/limits.ts";
import type { Logger } from "../services/log.ts";
import type { Metrics } from "../services/metrics.ts";
import { succession } from "./chain.ts";
import type { Limiter } from "./limiter.ts";
import type { Ring } from "./ring.ts";
import { sentMs } from "./stored-event.ts";
import { Timers } from "./timers.ts";
import type { TraceDelivery } from "./trace-delivery.ts";

/** Hears a room without holes. Must not block or throw. */
export interface FeedListener {
  /** The room's next event, and as JSON of encodeEvent; `sentMs` is when it was sent, in milliseconds since 1970. */
  onEvent(json: string, stored: StoredEvent, sentMs: number): void;
  onSignal(signal: Signal): void;
  /** Continuity is lost: events up to `seq` cannot be had any more. */
  onReset(seq: number, reason: "too_old" | "too_many"): void;
}

/** Where feeds get rooms' events from: a broker, or what stands for one. All may reject with RoomError unavailable. */
export type FeedSource = Pick<Broker, "subscribe" | "roomEnd" | "history">;

/** What feeds need, all of an edge's the same. */
export interface FeedOptions {
  readonly source: FeedSource;
  /** After an outage every room of the edge wants to read at once. */
  readonly reads: Limiter;
  /** How long after opening the log is read once more, in milliseconds. */
  readonly rechecksMs: readonly number[];
  /** Hears of every event that was traced, once it was handed on. Default: nobody does. */
  readonly onTraced?: TraceDelivery | undefined;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** What each feed has of its own. */
export interface FeedRoom {
  readonly id: RoomId;
  /** Filled by the feed. */
  readonly ring: Pick<Ring, "push" | "reset">;
  readonly listener: FeedListener;
}

/** Live events kept while a read is under way; more are dropped and read again, since all of them are stored. */
const HELD_EVENTS = 1_024;
/** Most events one catch-up delivers; clients reload faster than they take in more. */
const CATCH_UP_EVENTS = 2_000;
/** How long a live event may take behind its acknowledgement before the log is read for it, in milliseconds. */
const LATE_MS = 100;
/** When a new subscription is checked: the interest of a broker's other nodes may lag behind it. */
export const RECHECKS_MS: readonly number[] = [250, 1_000];
const RETRY = { baseMs: 100, maxMs: 2_000 };

/**
 * Turns a room's live events, of which some may be lost on the way, into all of its events in order: checks the chain of
 * prevSeq, reads the log where it is broken, and says so where even the log has dropped what is missing.
 */
export class Feed implements RoomListener {
  readonly #options: FeedOptions;
  readonly #id: RoomId;
  readonly #ring: FeedRoom["ring"];
  readonly #listener: FeedListener;
  readonly #timers = new Timers();
  // What few rooms need at a time is undefined while it is empty: there may be a hundred thousand of them.
  /** Live events that cannot be judged before the position is known, or that come behind a hole. */
  #held: StoredEvent[] | undefined;
  #last = 0;
  #state: "opening" | "live" | "reading" | "closed" = "opening";
  /** True when a read must begin after what was just learnt. */
  #again = false;
  /** Events read by the catch-up under way. */
  #delivered = 0;
  #unsubscribe: Unsubscribe | undefined;
  #reading: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  /** Who waits for the feed to come as far as a position. */
  #waiting: { readonly seq: number; readonly resolve: () => void }[] | undefined;
  #chasing = false;

  constructor(options: FeedOptions, room: FeedRoom) {
    this.#options = options;
    this.#id = room.id;
    this.#ring = room.ring;
    this.#listener = room.listener;
  }

  /** Position of the room at this edge: every event up to here was delivered, or was stored before the feed opened. */
  get last(): number {
    return this.#last;
  }

  /** True when it is open, and hears what comes. */
  get isLive(): boolean {
    return this.#state === "live" || this.#state === "reading";
  }

  /** Subscribes and finds the position. Resolves when live. @throws RoomError unavailable; close it then. */
  async open(): Promise<void> {
    const { source, reads, rechecksMs } = this.#options;
    const unsubscribe = await source.subscribe(this.#id, this);
    if (this.#closed) return unsubscribe();
    this.#unsubscribe = unsubscribe;
    const seq = await reads.run(() => source.roomEnd(this.#id));
    if (this.#closed) return;
    this.#last = seq;
    this.#ring.reset(seq);
    this.#state = "live";
    this.#release();
    if (this.#again) void this.check();
    for (const ms of rechecksMs) this.#timers.after(ms, () => void this.check());
  }

  /** Reads what the log holds beyond `last`. Resolves once that was delivered, or the feed is closed; never rejects. */
  check(): Promise<void> {
    this.#again = true;
    if (this.#state === "live") {
      this.#state = "reading";
      this.#reading = this.#catchUp();
    }
    return this.#reading ?? Promise.resolve();
  }

  /**
   * Resolves once everything up to `seq` was delivered, or the feed is closed: an acknowledgement may be ahead of its
   * live event, and who wrote something must find it.
   */
  reached(seq: number): Promise<void> {
    if (seq <= this.#last || this.#closed) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting ??= [];
    this.#waiting.push({ seq, resolve });
    this.#chase();
    return promise;
  }

  /** Ends the subscription. Idempotent. */
  close(): void {
    this.#state = "closed";
    this.#announce();
    this.#unsubscribe?.();
    this.#timers.close();
    this.#held = undefined;
    this.#wake?.();
  }

  /** Not the field itself, whose type would stay narrowed across awaits. */
  get #closed(): boolean {
    return this.#state === "closed";
  }

  /** Part of RoomListener, as what follows. */
  onEvent(stored: StoredEvent): void {
    if (this.#state === "closed") return;
    // A read under way does not keep back what follows: only behind a hole must events wait.
    const waits = this.#state === "opening" || this.#held !== undefined;
    const how = waits ? "behind" : succession(this.#last, stored);
    if (how === "next") this.#accept(stored);
    if (how === "next" || how === "old") return;
    if (how === "hole") this.#options.metrics.gapsTotal.inc();
    this.#hold(stored);
    if (how !== "behind") void this.check();
  }

  onSignal(signal: Signal): void {
    this.#listener.onSignal(signal);
  }

  #accept(stored: StoredEvent): void {
    this.#last = stored.seq;
    const json = this.#ring.push(stored);
    const { trace } = stored.event;
    this.#listener.onEvent(json, stored, sentMs(stored.event));
    if (trace !== undefined) this.#options.onTraced?.(stored, trace);
    if (this.#waiting !== undefined) this.#announce();
  }

  /** Reads the log for what somebody waits for and what does not come by itself. */
  #chase(): void {
    if (this.#chasing || this.#waiting === undefined) return;
    this.#chasing = true;
    this.#timers.after(LATE_MS, () => {
      this.#chasing = false;
      if (this.#waiting !== undefined) void this.check().then(() => this.#chase());
    });
  }

  /** Lets those go on who waited for no more than is delivered. */
  #announce(): void {
    if (this.#waiting === undefined) return;
    const last = this.#closed ? Number.POSITIVE_INFINITY : this.#last;
    const waiting = this.#waiting;
    const left = waiting.filter(({ seq }) => seq > last);
    this.#waiting = left.length > 0 ? left : undefined;
    for (const { seq, resolve } of waiting) if (seq <= last) resolve();
  }

  #hold(stored: StoredEvent): void {
    if (this.#held !== undefined && this.#held.length >= HELD_EVENTS) {
      this.#held = undefined;
      this.#again = true;
    }
    this.#held ??= [];
    this.#held.push(stored);
  }

  /** Delivers what was held as far as it follows; the rest waits for another read. */
  #release(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    for (const [index, stored] of held.entries()) {
      const how = succession(this.#last, stored);
      if (how === "next") this.#accept(stored);
      else if (how !== "old") {
        this.#held = held.slice(index);
        this.#again = true;
        return;
      }
    }
  }

  async #catchUp(): Promise<void> {
    let fruitless = 0;
    this.#delivered = 0;
    while (this.#again && !this.#closed) {
      this.#again = false;
      if (fruitless > 0) await this.#pause(backoffMs(fruitless - 1, RETRY));
      const page = await this.#readPage();
      if (this.#closed) return;
      const before = this.#last;
      if (page !== undefined) this.#take(page);
      const stuck = page === undefined || (this.#held !== undefined && this.#last === before);
      fruitless = stuck ? fruitless + 1 : 0;
    }
    if (!this.#closed) this.#state = "live";
  }

  async #readPage(): Promise<HistoryPage | undefined> {
    const { source, reads, log } = this.#options;
    const room = this.#id;
    const range = { after: this.#last, limit: FIXED.historyEvents, maxBytes: FIXED.historyBytes };
    try {
      return await reads.run(() => source.history(room, range));
    } catch (error) {
      log.debug({ err: error, room }, "a room's log could not be read; trying again");
      this.#again = true;
      return undefined;
    }
  }

  /** Delivers a page and, after the last one, what was held meanwhile. */
  #take(page: HistoryPage): void {
    this.#delivered += page.events.length;
    const tooOld = page.floor > this.#last;
    if (tooOld || this.#delivered > CATCH_UP_EVENTS) {
      this.#lose(page.seq, tooOld ? "too_old" : "too_many");
      return;
    }
    for (const stored of page.events) if (stored.seq > this.#last) this.#accept(stored);
    if (page.events.length > 0) this.#options.metrics.refillsTotal.inc({ outcome: "ok" });
    if (page.hasMore) this.#again = true;
    else {
      // Every event up to the page's position was in it, so the room is known up to there.
      this.#last = Math.max(this.#last, page.seq);
      this.#announce();
      this.#release();
    }
  }

  #lose(seq: number, reason: "too_old" | "too_many"): void {
    this.#delivered = 0;
    this.#last = Math.max(this.#last, seq);
    const { metrics, log } = this.#options;
    this.#ring.reset(this.#last);
    metrics.refillsTotal.inc({ outcome: "reset" });
    log.warn({ room: this.#id, reason }, "a room's continuity was lost");
    this.#listener.onReset(this.#last, reason);
    this.#announce();
    this.#release();
  }

  #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    this.#timers.after(ms, resolve);
    return promise;
  }
}
