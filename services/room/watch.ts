import { setImmediate as endOfTurn } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import type { Broker, StoredEvent } from "../../broker/broker.ts";
import type { Event, Position } from "../../gen/baccarat/v1/event_pb.ts";
import { type WatchRoomResponse, WatchRoomResponseSchema } from "../../gen/baccarat/v1/room_service_pb.ts";
import { RoomError } from "../errors.ts";
import { directUsers, matchesPattern, type RoomId } from "../ids.ts";
import { FIXED } from "../limits.ts";
import type { Metrics } from "../metrics.ts";
import type { Rooms } from "./rooms.ts";
import { eventBytes, toFullEvent } from "./stored-events.ts";
import { LogPast, type Past, RoomPast } from "./watch-past.ts";
import { type WaitingEvent, WatchQueue, type WatchQueueLimits } from "./watch-queue.ts";
import type { SharedTail } from "./watch-tail.ts";

/** What to follow: a room, or all rooms that are no conversations and that a pattern matches. */
export type WatchTarget = { readonly room: RoomId } | { readonly pattern: string };

/** As in WatchRoomRequest. */
export interface WatchRequest {
  readonly target: WatchTarget;
  readonly after: Position | undefined;
}

/** How much there may be of what. */
export interface WatchLimits {
  /** Watchers at a time. */
  readonly watchers: number;
  /** Of them, those that are reading the whole log's past. */
  readonly logReaders: number;
  /** What may wait for one watcher. */
  readonly queue: WatchQueueLimits;
  /** After how long without events a watcher is told where it is, in milliseconds. */
  readonly heartbeatMs: number;
}

/** Limits unless a test says otherwise. */
export const WATCH_LIMITS: WatchLimits = {
  watchers: 500,
  logReaders: 4,
  queue: { events: 10_000, bytes: 4 * 1024 * 1024 },
  heartbeatMs: 15_000,
};

/** Rooms whose last seq is remembered; with more, events are said to come after an unknown one for a while. */
const MAX_LAST_SEQS = 10_000;

/** What one response holds. */
const RESPONSE: WatchQueueLimits = { events: 500, bytes: FIXED.historyBytes };

/** One stream. */
interface Watcher {
  readonly target: WatchTarget;
  readonly queue: WatchQueue;
  /** True while it reads the whole log. */
  readsLog: boolean;
}

/**
 * RoomService.WatchRoom. Watchers hear the process's one tail, and read what was before that from the store: reading goes
 * up to the seq at which a watcher began to hear, and what it hears counts from there.
 */
export class Watches {
  readonly #broker: Broker;
  readonly #tail: SharedTail;
  readonly #rooms: Rooms;
  readonly #metrics: Metrics | undefined;
  readonly #limits: WatchLimits;
  readonly #open = new Set<Watcher>();
  readonly #byRoom = new Map<RoomId, Set<Watcher>>();
  readonly #byPattern = new Map<Watcher, (room: RoomId) => boolean>();
  /** Last seq of each room since somebody hears. */
  readonly #lastSeqs = new Map<RoomId, number>();

  constructor(options: {
    broker: Broker;
    tail: SharedTail;
    rooms: Rooms;
    metrics?: Metrics | undefined;
    /** Default WATCH_LIMITS. */
    limits?: Partial<WatchLimits>;
  }) {
    this.#broker = options.broker;
    this.#tail = options.tail;
    this.#rooms = options.rooms;
    this.#metrics = options.metrics;
    this.#limits = { ...WATCH_LIMITS, ...options.limits };
    options.tail.listen((stored) => this.#hear(stored));
  }

  /** Streams that are open, and those of them that hear new events. */
  get counts(): { readonly open: number; readonly hearing: number } {
    const byRoom = [...this.#byRoom.values()].reduce((sum, watchers) => sum + watchers.size, 0);
    return { open: this.#open.size, hearing: byRoom + this.#byPattern.size };
  }

  /**
   * Follows a target until the signal aborts.
   * @throws RoomError room_not_found, epoch_changed, too_old, unknown_position, slow_consumer, unavailable.
   */
  async *watch({ target, after }: WatchRequest, signal: AbortSignal): AsyncGenerator<WatchRoomResponse> {
    if ("room" in target) this.#rooms.access(target.room);
    if (signal.aborted) return;
    if (this.#open.size >= this.#limits.watchers) throw busy("too many streams watch here");
    const watcher: Watcher = { target, queue: new WatchQueue(this.#limits.queue), readsLog: false };
    this.#open.add(watcher);
    this.#metrics?.watchers.inc();
    const leave = (): void => this.#leave(watcher);
    signal.addEventListener("abort", leave);
    try {
      // A tail that reads what is older first would miss what retention takes from behind it meanwhile.
      await this.#tail.reached(0, FIXED.requestMs);
      const start = after === undefined ? yield* this.#begin(watcher) : yield* this.#resume(watcher, after, signal);
      yield* this.#follow(watcher, start);
    } finally {
      signal.removeEventListener("abort", leave);
      leave();
    }
  }

  /** Ends every stream; their callers go on elsewhere. */
  close(): void {
    for (const watcher of this.#open) this.#leave(watcher, new RoomError("unavailable", "this replica is stopping"));
  }

  /** Begins to hear; returns the position from which on everything is heard. */
  async *#begin(watcher: Watcher): AsyncGenerator<WatchRoomResponse, number, undefined> {
    const joined = this.#join(watcher);
    const start = Math.max(joined, await this.#broker.logEnd());
    yield this.#response([], start);
    return start;
  }

  /** Sends what was stored after a position, and begins to hear; returns up to where everything was sent. */
  async *#resume(
    watcher: Watcher,
    position: Position,
    signal: AbortSignal,
  ): AsyncGenerator<WatchRoomResponse, number, undefined> {
    const after = await this.#known(position);
    const past = this.#past(watcher, signal);
    if (after < this.#tail.position) await past.check(after);
    yield this.#response([], after);
    let cursor = after;
    // From far back, what is new would not fit in the queue for as long as reading takes: so it is read as well.
    while (this.#tail.position - cursor > this.#limits.queue.events / 2) {
      cursor = yield* this.#read(past, cursor, this.#tail.position);
    }
    const joined = this.#join(watcher);
    cursor = yield* this.#read(past, cursor, joined);
    watcher.readsLog = false;
    return cursor;
  }

  /** The seq of a position of this log. @throws RoomError epoch_changed, unknown_position, unavailable. */
  async #known({ epoch, seq }: Position): Promise<number> {
    const after = Number(seq);
    if (epoch !== this.#broker.epoch) {
      throw new RoomError("epoch_changed", "the position is of another log; read the rooms anew", {
        metadata: { epoch: this.#broker.epoch },
      });
    }
    if (after > this.#tail.position && after > (await this.#broker.logEnd())) {
      throw new RoomError("unknown_position", "the log has not come as far as this position");
    }
    return after;
  }

  #past(watcher: Watcher, signal: AbortSignal): Past {
    const { target } = watcher;
    if ("room" in target) return new RoomPast({ broker: this.#broker, room: target.room });
    const readers = [...this.#open].filter(({ readsLog }) => readsLog).length;
    if (readers >= this.#limits.logReaders) throw busy("too many streams read the whole log here");
    watcher.readsLog = true;
    return new LogPast({ broker: this.#broker, wants: matcher(target.pattern), signal });
  }

  async *#read(past: Past, after: number, upTo: number): AsyncGenerator<WatchRoomResponse, number, undefined> {
    for await (const { events, cursor } of past.read(after, upTo)) {
      const full = events.map((stored) => toFullEvent(stored, this.#broker.epoch));
      yield this.#response(full, cursor);
    }
    return Math.max(after, upTo);
  }

  async *#follow({ queue }: Watcher, start: number): AsyncGenerator<WatchRoomResponse> {
    let position = start;
    queue.skipTo(start);
    for (;;) {
      await queue.wait(this.#limits.heartbeatMs);
      await endOfTurn();
      const items = queue.take(RESPONSE);
      if (queue.ended) return;
      if (queue.overflowed) throw this.#tooSlow(position);
      position = Math.max(position, items.at(-1)?.seq ?? 0, queue.isEmpty ? this.#tail.position : 0);
      yield this.#response(
        items.map(({ event }) => event),
        position,
      );
    }
  }

  #hear(stored: StoredEvent): void {
    if (this.#byRoom.size + this.#byPattern.size === 0) return;
    const { room, seq, event } = stored;
    // Not every engine's tail knows what was before an event.
    const prevSeq = stored.prevSeq || (this.#lastSeqs.get(room) ?? 0);
    if (this.#lastSeqs.size >= MAX_LAST_SEQS) this.#lastSeqs.clear();
    this.#lastSeqs.set(room, seq);
    let item: WaitingEvent | undefined;
    const push = (watcher: Watcher): void => {
      item ??= { seq, event: toFullEvent({ room, seq, prevSeq, event }, this.#broker.epoch), bytes: eventBytes(event) };
      if (watcher.queue.push(item)) return;
      this.#metrics?.slowWatchersTotal.inc();
      this.#unhear(watcher);
    };
    this.#byRoom.get(room)?.forEach(push);
    for (const [watcher, wants] of this.#byPattern) if (wants(room)) push(watcher);
  }

  /** Lets a watcher hear every event after the position returned. */
  #join(watcher: Watcher): number {
    const { target, queue } = watcher;
    if (queue.ended) return this.#tail.position;
    if ("pattern" in target) this.#byPattern.set(watcher, matcher(target.pattern));
    else {
      const watchers = this.#byRoom.get(target.room) ?? new Set();
      this.#byRoom.set(target.room, watchers.add(watcher));
    }
    return this.#tail.position;
  }

  #unhear(watcher: Watcher): void {
    this.#byPattern.delete(watcher);
    if ("room" in watcher.target) {
      const watchers = this.#byRoom.get(watcher.target.room);
      if (watchers?.delete(watcher) && watchers.size === 0) this.#byRoom.delete(watcher.target.room);
    }
    if (this.#byRoom.size + this.#byPattern.size === 0) this.#lastSeqs.clear();
  }

  #leave(watcher: Watcher, error?: RoomError): void {
    watcher.queue.end(error);
    this.#unhear(watcher);
    if (this.#open.delete(watcher)) this.#metrics?.watchers.dec();
  }

  #response(events: Event[], seq: number): WatchRoomResponse {
    return create(WatchRoomResponseSchema, { events, position: { epoch: this.#broker.epoch, seq: BigInt(seq) } });
  }

  #tooSlow(position: number): RoomError {
    return new RoomError("slow_consumer", "events came faster than they were read; go on from the last position", {
      metadata: { epoch: this.#broker.epoch, seq: String(position) },
    });
  }
}

/** Whether a room is one of the pattern's. Conversations are private: only who knows both users names one. */
function matcher(pattern: string): (room: RoomId) => boolean {
  return (room) => matchesPattern(pattern, room) && directUsers(room) === undefined;
}

function busy(message: string): RoomError {
  return new RoomError("unavailable", message, { retryAfterMs: BUSY_MS });
}

/** When to come back to a replica that has its hands full, in milliseconds. */
const BUSY_MS = 1_000;
