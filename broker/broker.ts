import type { Event, Signal } from "../gen/baccarat/v1/event_pb.ts";
import type { RoomId } from "../services/ids.ts";

/**
 * The broker stores rooms' logs, carries live events and signals to whoever listens, and keeps the control log. Two
 * engines implement it: embedded (SQLite, one process) and NATS JetStream. Everything written here holds for both and is
 * asserted by the one suite in test/contract; nothing else may be relied on.
 *
 * **Order.** One log, one sequence for all rooms: seq strictly increases over the whole log, hence in every room, and is
 * not dense in a room. Publishes of one lane to one room are stored in the order of the calls.
 *
 * **Loss.** publish resolves only once the event is stored. It rejects with RoomError `unavailable` when the outcome is
 * unknown: the event may be stored or not, a retry with the same dedupeId settles it. Nothing is queued beyond the call.
 *
 * **Live delivery is at most once.** Listeners of one room hear its events in order of seq, but an event may be missing.
 * prevSeq shows it: there is a hole when prevSeq is greater than the last seq heard; 0 means unknown. history fills it.
 * `losesLive` says where that can happen at all.
 *
 * **Reads are current.** history and position reflect every publish that was acknowledged before the call, at any process.
 */
export interface Broker {
  /** Identity of the log: new when the log is recreated, the same over restarts and for every process. */
  readonly epoch: string;
  /** False when no live event can be missing: whoever listens need not be told where logs end. */
  readonly losesLive: boolean;
  /** Rooms, members, leases, bans: small state with one total order. */
  readonly control: ControlStore;
  /** Whether the broker can store right now; `reason` is for /readyz. */
  health(): BrokerHealth;
  /**
   * Why no new work should be given to processes that use this broker, though it stores, such as servers that are too old;
   * undefined or absent: nothing.
   */
  readonly unfit?: string | undefined;
  /** What an operator should know though all is well, such as servers with known faults; undefined or absent: nothing. */
  readonly warning?: string | undefined;
  /** Calls back after every change of health; on the way back to ok, live events may have been missed meanwhile. */
  onHealth(listener: (health: BrokerHealth) => void): Unsubscribe;
  /**
   * Stores an event. A deletion also wipes the stored body of its deleted_seq: history no longer returns that event.
   * @throws RoomError unavailable (unknown outcome; everything queued behind it in its lane and room fails too).
   */
  publish(room: RoomId, event: Event, options?: PublishOptions): Promise<Published>;
  /**
   * Hears a room's live events and signals. Resolves when everything acknowledged from now on will be heard (or shown
   * missing by a later prevSeq). One process subscribes to a room once. Listeners must not block or throw.
   */
  subscribe(room: RoomId, listener: RoomListener): Promise<Unsubscribe>;
  /** Hears the live events of every direct conversation. */
  subscribeDirect(listener: (stored: StoredEvent) => void): Promise<Unsubscribe>;
  /**
   * Hears every event of the log with a seq after `after`, in order and without holes, first the stored ones, then live
   * ones. Slower than subscribe; for those who must see everything. Deleted events are left out when already wiped.
   * `onCaughtUp` is called, at least once, when everything stored before the call was heard.
   */
  tail(after: number, listener: (stored: StoredEvent) => void, onCaughtUp?: () => void): Promise<Unsubscribe>;
  /** Sends a signal to the room's subscribers in all processes, this one included. May be lost; never stored. */
  signal(room: RoomId, signal: Signal): void;
  /** Reads a page of a room's log. @throws RoomError unavailable. */
  history(room: RoomId, range: HistoryRange): Promise<HistoryPage>;
  /** Where a room's log begins and ends. @throws RoomError unavailable. */
  position(room: RoomId): Promise<RoomPosition>;
  /** The seq of that alone, which may be had for less: every join asks. @throws RoomError unavailable. */
  roomEnd(room: RoomId): Promise<number>;
  /** Where the whole log ends: no event stored so far has a greater seq. @throws RoomError unavailable. */
  logEnd(): Promise<number>;
  /**
   * Where the whole log begins: age and size have taken no event with a greater seq. It may be too great where events at
   * the beginning were deleted, or dropped since their rooms had newer ones. @throws RoomError unavailable.
   */
  logStart(): Promise<number>;
  /**
   * When the event at a seq was stored, in milliseconds since 1970 by the clock of what stored it: this process's, or the
   * server's that led the log. undefined when there is no such event, or no longer. Looks into the log every time: for those
   * who follow one event. @throws RoomError unavailable.
   */
  storedAt(seq: number): Promise<number | undefined>;
  /** Settles what is in flight, then closes; later calls reject with unavailable. Idempotent. */
  close(): Promise<void>;
}

/**
 * State of the broker, as /readyz tells it. `final`: it never gets well, since the log is another one by now; whatever the
 * process knows of it means nothing any more.
 */
export type BrokerHealth =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: string; readonly final?: true };

/** Ends a subscription; after it returns the listener is not called again. Idempotent. */
export type Unsubscribe = () => void;

/** How to publish. */
export interface PublishOptions {
  /** A second publish with the same id within DEDUPE_WINDOW_MS, in any room, is not stored: it gets the first one's seq. Build it with dedupeId(). */
  readonly dedupeId?: string | undefined;
  /** Who publishes: calls of one lane to one room are stored in order, and fail together. Default: no order between calls. */
  readonly lane?: object | undefined;
}

/** What a publish did. */
export interface Published {
  readonly seq: number;
  /** True when the event was stored by an earlier publish with the same dedupeId. */
  readonly duplicate: boolean;
}

/** Hears one room. */
export interface RoomListener {
  onEvent(stored: StoredEvent): void;
  onSignal(signal: Signal): void;
}

/** An event of the log. */
export interface StoredEvent {
  readonly room: RoomId;
  readonly seq: number;
  /** The room's previous stored event as far as known, 0 when unknown. In history: the previous one still stored. */
  readonly prevSeq: number;
  /** As published: seq and prevSeq are not repeated inside. Shared: never changed. */
  readonly event: Event;
}

/** Which events to read: the earliest after `after`, or the latest before `before` (default: the end). */
export type HistoryRange = { readonly limit: number; readonly maxBytes?: number } & (
  | { readonly after: number }
  | { readonly before?: number }
);

/** A page of a room's log, oldest first, and the room's position at the time of reading. */
export interface HistoryPage extends RoomPosition {
  readonly events: readonly StoredEvent[];
  /** True when limit or maxBytes cut the page short of what retention still shows in this direction. A page has at least one event if there is any. */
  readonly hasMore: boolean;
}

/** Where a room's log begins and ends. A `since` with floor ≤ since ≤ logEnd can be recovered from precisely. */
export interface RoomPosition {
  /** A position at or after the room's last event; every event of the room up to here is stored and readable. */
  readonly seq: number;
  /** Greatest seq of this room that retention dropped, 0 when none. Deleted events do not count. */
  readonly floor: number;
}

/**
 * The control log: the last value of each key, and every change in one total order. Keys are tokens of subjects.ts joined
 * by dots. There is no compare-and-set by revision: nats-server before 2.9.21 breaks it on replicated streams
 * (nats-server commit 244dda809), so races are settled by create or by the order of the log.
 */
export interface ControlStore {
  /**
   * Writes a key; resolves with its revision once stored. Here and in create the value is not to be changed any more:
   * watchers in this process may be given the very same bytes. @throws RoomError unavailable.
   */
  put(key: string, value: Uint8Array): Promise<number>;
  /** Writes a key only if it does not exist or was deleted; undefined when it exists. @throws RoomError unavailable. */
  create(key: string, value: Uint8Array): Promise<number | undefined>;
  /**
   * Deletes a key; resolves with the revision of the deletion. Idempotent. Who watches meanwhile hears `reason` with it;
   * it is not kept. @throws RoomError unavailable.
   */
  delete(key: string, reason?: string): Promise<number>;
  /** Reads a key, reflecting every write acknowledged before the call. @throws RoomError unavailable. */
  get(key: string): Promise<ControlEntry | undefined>;
  /**
   * Hears the last value of every key in order of revision, then `onCaughtUp`, then every later change in order. Values
   * overwritten in between may be skipped, the last one of a key never. Heals by itself after an interruption, which it
   * announces by onInterrupted and ends by another onCaughtUp.
   */
  watch(listener: ControlListener): Promise<Unsubscribe>;
}

/** A key's value at a revision; without a value it was deleted. */
export interface ControlEntry {
  readonly key: string;
  readonly revision: number;
  readonly value: Uint8Array | undefined;
  /** Why it was deleted, where that was said and the deletion itself was heard. */
  readonly reason?: string | undefined;
}

/** Hears the control log. Must not block or throw. */
export interface ControlListener {
  onEntry(entry: ControlEntry): void;
  /** Everything written before the watch (re)started was heard. */
  onCaughtUp(): void;
  /** From now on changes may be late. */
  onInterrupted(): void;
}

/** How long a dedupeId is remembered, at least. The contract promises 120 s; the rest is for retries under way. */
export const DEDUPE_WINDOW_MS = 150_000;
