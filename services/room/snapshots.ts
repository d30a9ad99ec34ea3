import type { Broker, HistoryPage, StoredEvent, Unsubscribe } from "../../broker/broker.ts";
import type { SnapshotRecord } from "../../gen/baccarat/v1/control_pb.ts";
import type { Event } from "../../gen/baccarat/v1/event_pb.ts";
import { RoomError } from "../errors.ts";
import type { RoomId } from "../ids.ts";
import { FIXED, type Limits } from "../limits.ts";
import type { Logger } from "../log.ts";
import type { PublishedEvent } from "../publisher.ts";
import type { ControlFold } from "./control-fold.ts";
import type { Change } from "./folded.ts";
import { SharedReads } from "./shared-reads.ts";
import { SnapshotRecorder } from "./snapshot-recorder.ts";
import { SnapshotSpace } from "./snapshot-space.ts";
import { isClear, SnapshotState, type SnapshotView } from "./snapshot-state.ts";
import { toEvent } from "./stored-events.ts";
import type { SharedTail } from "./watch-tail.ts";

/** A room's snapshot as of a position. */
export interface RoomSnapshot {
  /** The latest event of each key, in the order of their seqs. */
  readonly events: Event[];
  /** Nothing in it has changed after this position. */
  readonly changed: number;
}

/** How long a read waits for this replica to have heard what the read saw before it looks in the log, in milliseconds. */
const HEAR_MS = 500;
/** When others' events are recorded by this replica, in milliseconds, unless the one that published them has done so. */
const OTHERS_MS = 3_000;
const OTHERS_SPREAD_MS = 2_000;

/**
 * The latest event of each snapshot key of every room: what a late joiner is given. Every replica follows the log, so all
 * have the same, and none is asked by the others; what the log drops is kept in the control log (SnapshotRecorder).
 */
export class Snapshots {
  readonly #broker: Broker;
  readonly #fold: ControlFold;
  readonly #tail: SharedTail;
  readonly #state = new SnapshotState();
  readonly #space: SnapshotSpace;
  readonly #recorder: SnapshotRecorder;
  readonly #unsubscribe: Unsubscribe[];
  /** Where the log ended when this replica started. */
  #end: number | undefined;
  /** What is recorded of a log before this one, until it is known whether it counts. */
  #ofAnotherLog: StoredEvent[] = [];
  /** Events that came while positions of their rooms are being read. */
  readonly #reads = new Map<RoomId, Set<StoredEvent[]>>();
  readonly #pages = new SharedReads<HistoryPage>();

  /** To be made before fold and tail start. */
  constructor(options: { broker: Broker; fold: ControlFold; tail: SharedTail; limits: Limits; log: Logger }) {
    const { broker, fold, tail, limits, log } = options;
    this.#broker = broker;
    this.#fold = fold;
    this.#tail = tail;
    this.#space = new SnapshotSpace({ state: this.#state, limits });
    this.#recorder = new SnapshotRecorder({ broker, state: this.#state, log, position: () => tail.position });
    this.#unsubscribe = [fold.onChange((change) => this.#follow(change)), tail.listen((stored) => this.#hear(stored))];
  }

  /** Reads what is not recorded; to be called when fold and tail have started. @throws RoomError unavailable. */
  async start(): Promise<void> {
    this.#end = await this.#broker.logEnd();
    this.#adopt();
    const from = await this.#recorder.readFrom();
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = await this.#broker.tail(from, (stored) => this.#hear(stored), resolve);
    await promise;
    stop();
    this.#recorder.start();
  }

  /** Records now what would be recorded within some seconds. Never rejects. */
  flush(): Promise<void> {
    return this.#recorder.flush();
  }

  /** Follows the log no more. */
  async close(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    await this.#recorder.close();
  }

  /**
   * Publishes an event under a key, if there is space for it. `publish` is called before this returns.
   * @throws RoomError snapshot_full; what `publish` throws.
   */
  async publish(
    room: RoomId,
    key: string,
    dataJson: string,
    publish: () => Promise<PublishedEvent>,
  ): Promise<PublishedEvent> {
    const release = this.#space.claim(room, key, isClear(dataJson) ? 0 : Buffer.byteLength(dataJson));
    try {
      const published = await publish();
      // Heard or not by then, it has been counted for long enough.
      void this.#tail.reached(published.seq, FIXED.requestMs).then(release, release);
      return published;
    } catch (error) {
      release();
      throw error;
    }
  }

  /**
   * Reads a position of a room's log, and gives the room's snapshot exactly as of there: neither older nor newer, so that
   * who hears everything after the position has every key's latest event at any time.
   * @throws RoomError unavailable; what `read` throws.
   */
  async asOf<T extends { readonly seq: number }>(room: RoomId, read: () => Promise<T>): Promise<[T, RoomSnapshot]> {
    const before = this.#state.view(room);
    const from = this.#tail.position;
    const since: StoredEvent[] = [];
    const reads = this.#reads.get(room) ?? new Set();
    this.#reads.set(room, reads.add(since));
    try {
      const result = await read();
      const heard = await this.#hears(result.seq);
      const newer = heard ? since : await this.#read(room, from);
      const inRange = newer.filter(({ seq }) => seq > from && seq <= result.seq);
      return [result, given(before, inRange)];
    } finally {
      reads.delete(since);
      if (reads.size === 0 && this.#reads.get(room) === reads) this.#reads.delete(room);
    }
  }

  /** False when what is stored up to a position is not heard in time. */
  #hears(seq: number): Promise<boolean> {
    return this.#tail.reached(seq, HEAR_MS).then(
      () => true,
      () => false,
    );
  }

  /** A room's events after a position, all or none. @throws RoomError unavailable. */
  async #read(room: RoomId, after: number): Promise<readonly StoredEvent[]> {
    const range = { after, limit: FIXED.historyEvents, maxBytes: FIXED.historyBytes };
    const page = await this.#pages.read(JSON.stringify([room, after]), () => this.#broker.history(room, range));
    if (!page.hasMore && page.floor <= after) return page.events;
    throw new RoomError("unavailable", "the log is still being read");
  }

  #follow(change: Change): void {
    if (change.kind === "snapshot") this.#recorded(change.room, change.key, change.record);
    if (change.kind !== "room") return;
    const upTo = this.#deletedUpTo(change.room.id);
    if (upTo > 0) this.#state.deleted(change.room.id, upTo, othersDue());
  }

  #recorded(room: RoomId, key: string, record: SnapshotRecord | undefined): void {
    const event = record?.event;
    if (record === undefined || event === undefined) {
      this.#state.recorded(room, key, undefined, othersDue());
      return;
    }
    const stored = { room, seq: Number(event.seq), prevSeq: Number(event.prevSeq), event };
    const isOfThisLog = record.epoch === this.#broker.epoch;
    if (isOfThisLog && stored.seq > this.#deletedUpTo(room)) {
      this.#state.recorded(room, key, stored, othersDue());
    } else if (isOfThisLog || this.#end !== undefined) {
      this.#state.outdated(room, key, othersDue());
    } else {
      this.#ofAnotherLog.push(stored);
    }
  }

  /**
   * What was recorded before the epoch changed is still good where this log comes after it, as a restored backup does:
   * it is recorded anew. In a log that has not come as far it would pass for newer than what is to come.
   */
  #adopt(): void {
    for (const stored of this.#ofAnotherLog) {
      const { body } = stored.event;
      if (body.case !== "customEvent") continue;
      if (stored.seq <= (this.#end ?? 0)) this.#hear(stored);
      this.#state.outdated(stored.room, body.value.snapshotKey, othersDue());
    }
    this.#ofAnotherLog = [];
  }

  #hear(stored: StoredEvent): void {
    const { body } = stored.event;
    if (body.case !== "customEvent" || body.value.snapshotKey === "") return;
    const { room, seq } = stored;
    if (seq <= this.#deletedUpTo(room)) return;
    const isOwn = this.#space.isClaimed(room, body.value.snapshotKey);
    this.#state.heard(stored, isOwn ? performance.now() : othersDue());
    for (const since of this.#reads.get(room) ?? []) since.push(stored);
  }

  /** A deleted room begins anew, whatever the log still holds of it. */
  #deletedUpTo(room: RoomId): number {
    const at = this.#fold.room(room)?.record?.deletedAt;
    if (at === undefined) return 0;
    const seq = Number(at.seq);
    return at.epoch === this.#broker.epoch || seq <= (this.#end ?? 0) ? seq : 0;
  }
}

function given(before: SnapshotView, since: readonly StoredEvent[]): RoomSnapshot {
  const latest = new Map(before.latest);
  let { changed } = before;
  for (const stored of since) {
    const { body } = stored.event;
    if (body.case !== "customEvent" || body.value.snapshotKey === "") continue;
    const { snapshotKey, dataJson } = body.value;
    changed = Math.max(changed, stored.seq);
    if ((latest.get(snapshotKey)?.seq ?? 0) > stored.seq) continue;
    if (isClear(dataJson)) latest.delete(snapshotKey);
    else latest.set(snapshotKey, stored);
  }
  const events = [...latest.values()].sort((a, b) => a.seq - b.seq).map(toEvent);
  return { events, changed };
}

/** Replicas come at different times, so that one of them finds it done. */
function othersDue(): number {
  return performance.now() + OTHERS_MS + Math.random() * OTHERS_SPREAD_MS;
}
