import type { StoredEvent } from "../../broker/broker.ts";
import type { RoomId } from "../ids.ts";

/** One key of a room's snapshot. Only SnapshotState changes it. */
export interface SnapshotEntry {
  readonly room: RoomId;
  readonly key: string;
  /** Seq of the latest event of this key, or of what took it away. */
  readonly seq: number;
  /** That event; undefined when the key was cleared, or the room deleted. */
  readonly latest: StoredEvent | undefined;
  /** Bytes of its data. */
  readonly bytes: number;
}

/** A room's snapshot. */
export interface SnapshotView {
  /** Nothing in it has changed after this position. */
  readonly changed: number;
  readonly latest: ReadonlyMap<string, StoredEvent>;
}

/** How long it is remembered that a key was cleared, in milliseconds: by then no older write is under way any more. */
const REMEMBER_MS = 60_000;
/** Seq of what the control log holds of another log. */
const FOREIGN = -1;

interface Entry extends SnapshotEntry {
  seq: number;
  latest: StoredEvent | undefined;
  bytes: number;
  /** Seq of the event in the control log, 0 for none. */
  recorded: number;
  /** When the control log is to be put right, by performance.now(); Infinity while it is right. */
  dueAt: number;
  /** Since when it is right. */
  rightSince: number;
}

interface RoomEntries {
  readonly entries: Map<string, Entry>;
  changed: number;
}

/**
 * The latest event of every snapshot key, put together from two sources that may come in any order and more than once:
 * the log, and what replicas recorded of it in the control log. The greater seq wins, so every replica comes to the same.
 * It also knows where the control log is wrong: it holds an older event, or one too many, or none.
 */
export class SnapshotState {
  readonly #rooms = new Map<RoomId, RoomEntries>();
  readonly #wrong = new Set<Entry>();
  readonly #cleared = new Set<Entry>();
  #bytes = 0;
  /** No room that is not remembered any more had a change after this. */
  #forgotten = 0;

  /** Bytes of data in all rooms. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Keys of a room, those that were cleared a moment ago included. */
  entries(room: RoomId): Iterable<SnapshotEntry> {
    return this.#rooms.get(room)?.entries.values() ?? [];
  }

  /** A room's snapshot now, which later changes leave as it is. */
  view(room: RoomId): SnapshotView {
    const known = this.#rooms.get(room);
    const latest = new Map<string, StoredEvent>();
    for (const entry of known?.entries.values() ?? []) {
      if (entry.latest !== undefined) latest.set(entry.key, entry.latest);
    }
    return { changed: known?.changed ?? this.#forgotten, latest };
  }

  /** Takes an event of the log in. Unless it is recorded by somebody else, that is due at `dueAt`. */
  heard(stored: StoredEvent, dueAt: number): void {
    const { body } = stored.event;
    if (body.case !== "customEvent") return;
    const { snapshotKey, dataJson } = body.value;
    const entry = this.#entry(stored.room, snapshotKey);
    if (stored.seq <= entry.seq) return;
    this.#set(entry, stored.seq, isClear(dataJson) ? undefined : stored);
    this.#judge(entry, dueAt);
  }

  /** Takes in what the control log holds under a key; undefined: nothing. What is wrong about it is to be put right at `dueAt`. */
  recorded(room: RoomId, key: string, stored: StoredEvent | undefined, dueAt: number): void {
    if (stored === undefined && !this.#rooms.get(room)?.entries.has(key)) return;
    const entry = this.#entry(room, key);
    entry.recorded = stored?.seq ?? 0;
    if (stored !== undefined && stored.seq > entry.seq) this.#set(entry, stored.seq, stored);
    this.#judge(entry, dueAt);
  }

  /** The control log holds something that counts no more: of another log, or from before the room was deleted. */
  outdated(room: RoomId, key: string, dueAt: number): void {
    const entry = this.#entry(room, key);
    entry.recorded = FOREIGN;
    if (entry.latest === undefined) this.#cleared.add(entry);
    this.#judge(entry, dueAt);
  }

  /** The room was deleted, with everything up to `seq`. */
  deleted(room: RoomId, seq: number, dueAt: number): void {
    const known = this.#rooms.get(room);
    if (known === undefined) return;
    for (const entry of known.entries.values()) {
      if (entry.seq > seq) continue;
      this.#set(entry, seq, undefined);
      this.#judge(entry, dueAt);
    }
  }

  /** Keys of which the control log has been wrong until their time came. */
  due(now: number): SnapshotEntry[] {
    return [...this.#wrong].filter(({ dueAt }) => dueAt <= now);
  }

  /** The control log is being put right: if it is still wrong at `dueAt`, that is to be done again. */
  writing(written: SnapshotEntry, dueAt: number): void {
    const entry = this.#rooms.get(written.room)?.entries.get(written.key);
    if (entry !== undefined && this.#wrong.has(entry)) entry.dueAt = dueAt;
  }

  /** Everything up to here is recorded, given that everything up to `position` was heard. */
  recordedUpTo(position: number): number {
    let upTo = position;
    for (const { seq } of this.#wrong) upTo = Math.min(upTo, seq - 1);
    return upTo;
  }

  /** Forgets keys that were cleared long ago. */
  forget(now: number): void {
    for (const entry of this.#cleared) {
      if (entry.dueAt !== Number.POSITIVE_INFINITY || entry.rightSince > now - REMEMBER_MS) continue;
      this.#cleared.delete(entry);
      const room = this.#rooms.get(entry.room);
      room?.entries.delete(entry.key);
      if (room === undefined || room.entries.size > 0) continue;
      this.#rooms.delete(entry.room);
      this.#forgotten = Math.max(this.#forgotten, room.changed);
    }
  }

  #entry(room: RoomId, key: string): Entry {
    let known = this.#rooms.get(room);
    if (known === undefined) {
      known = { entries: new Map(), changed: this.#forgotten };
      this.#rooms.set(room, known);
    }
    let entry = known.entries.get(key);
    if (entry === undefined) {
      entry = {
        room,
        key,
        seq: 0,
        latest: undefined,
        bytes: 0,
        recorded: 0,
        dueAt: Number.POSITIVE_INFINITY,
        rightSince: 0,
      };
      known.entries.set(key, entry);
    }
    return entry;
  }

  #set(entry: Entry, seq: number, latest: StoredEvent | undefined): void {
    const bytes = latest === undefined ? 0 : dataBytes(latest);
    this.#bytes += bytes - entry.bytes;
    entry.seq = seq;
    entry.latest = latest;
    entry.bytes = bytes;
    const room = this.#rooms.get(entry.room);
    if (room !== undefined) room.changed = Math.max(room.changed, seq);
    if (latest === undefined) this.#cleared.add(entry);
    else this.#cleared.delete(entry);
  }

  #judge(entry: Entry, dueAt: number): void {
    const right = entry.recorded === (entry.latest === undefined ? 0 : entry.seq);
    if (!right) {
      entry.dueAt = Math.min(entry.dueAt, dueAt);
      this.#wrong.add(entry);
      return;
    }
    entry.dueAt = Number.POSITIVE_INFINITY;
    entry.rightSince = performance.now();
    this.#wrong.delete(entry);
  }
}

/** True for data that clears a key. */
export function isClear(dataJson: string): boolean {
  return dataJson === "" || dataJson === "null";
}

function dataBytes({ event: { body } }: StoredEvent): number {
  return body.case === "customEvent" ? Buffer.byteLength(body.value.dataJson) : 0;
}
