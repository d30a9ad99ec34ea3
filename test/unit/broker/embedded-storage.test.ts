import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { prepare } from "../../../broker/embedded-database.ts";
import type { EventAnswer, EventWrite } from "../../../broker/embedded-protocol.ts";
import { ROW_BYTES } from "../../../broker/embedded-retention.ts";
import { Storage } from "../../../broker/embedded-storage.ts";
import type { Retention } from "../../../broker/retention.ts";
import type { RoomId } from "../../../services/ids.ts";
import { GENEROUS } from "../../contract/engine.ts";
import { room } from "../../contract/events.ts";

const LOBBY = room("lobby");
const TABLE = room("table:7@vip");
const HOUR_MS = 3_600_000;

let dataDir: string;
let storage: Storage | undefined;
let now: number;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "baccarat-storage-"));
  now = Date.now();
});
afterEach(async () => {
  storage?.close();
  storage = undefined;
  await rm(dataDir, { recursive: true, force: true });
});

function open(limits: Partial<Retention> = {}, maxFileBytes?: number): Storage {
  storage?.close();
  storage = new Storage({ dataDir, retention: { ...GENEROUS, ...limits }, maxFileBytes, now: () => now });
  return storage;
}

const event = (id: RoomId, bytes = 100, more: Partial<EventWrite> = {}): EventWrite => ({
  room: id,
  body: new Uint8Array(bytes),
  dedupeId: undefined,
  deletedSeq: 0,
  ...more,
});

/** Writes one event, in a transaction of its own. */
function write(target: Storage, write: EventWrite): EventAnswer {
  const [answer] = target.write([write], []).events;
  if (!answer) throw new Error("no answer");
  return answer;
}

const shown = (target: Storage, id: RoomId): number[] =>
  target.read({ kind: "history", room: id, range: { limit: 100_000 } }).rows.map(({ seq }) => seq);

/** Closes the storage and looks into the file. */
function inspect(): { events: number; bytes: number; counted: number; floors: Record<string, number> } {
  storage?.close();
  storage = undefined;
  const db = new DatabaseSync(join(dataDir, "baccarat.db"));
  const sum = prepare<{ events: number; bytes: number }>(
    db,
    `SELECT count(*) AS events, coalesce(sum(length(body) + ${ROW_BYTES}), 0) AS bytes FROM events`,
  ).get();
  const counted = prepare<{ value: number }>(db, "SELECT value FROM meta WHERE name = 'bytes'").get();
  const rooms = prepare<{ name: string; floor: number }>(db, "SELECT name, floor FROM rooms").all();
  db.close();
  return {
    events: sum?.events ?? -1,
    bytes: sum?.bytes ?? -1,
    counted: counted?.value ?? -1,
    floors: Object.fromEntries(rooms.map(({ name, floor }) => [name, floor])),
  };
}

function trimAll(target: Storage): number {
  for (let steps = 1; steps < 100; steps++) if (!target.trim()) return steps;
  throw new Error("trimming does not end");
}

describe("Storage", () => {
  it("keeps little more than is shown of a room, whatever the load", () => {
    const target = open({ maxMessages: 40 });
    for (let count = 0; count < 50; count++) {
      target.write(
        Array.from({ length: 30 }, () => event(LOBBY)),
        [],
      );
    }
    expect(shown(target, LOBBY)).toHaveLength(40);
    const { events, bytes, counted, floors } = inspect();
    expect(events).toBeLessThanOrEqual(40 + 16);
    expect(counted).toBe(bytes);
    expect(floors[LOBBY]).toBe(1_500 - events);
  });

  it("keeps the log within its size while it is written, and its account of the size true", () => {
    const maxBytes = 100_000;
    const target = open({ maxBytes });
    for (let count = 0; count < 40; count++) {
      target.write(
        Array.from({ length: 20 }, (_, index) => event(index % 2 ? LOBBY : TABLE, (count * 37) % 900)),
        [],
      );
      const [seq = 0] = shown(target, LOBBY).slice(-3);
      write(target, event(LOBBY, 50, { deletedSeq: seq }));
    }
    const { bytes, counted } = inspect();
    expect(counted).toBe(bytes);
    expect(bytes).toBeLessThanOrEqual(maxBytes);
    expect(bytes).toBeGreaterThan(maxBytes / 2);
  });

  it("shrinks in bounded steps to a limit that was lowered", () => {
    open();
    for (let count = 0; count < 50; count++) {
      storage?.write(
        Array.from({ length: 100 }, () => event(LOBBY)),
        [],
      );
    }
    const target = open({ maxBytes: 100 * (100 + ROW_BYTES) });
    expect(trimAll(target)).toBe(6);
    expect(shown(target, LOBBY)).toEqual(Array.from({ length: 100 }, (_, index) => 4_901 + index));
    expect(inspect()).toMatchObject({ events: 100 });
    expect(open().read({ kind: "position", room: LOBBY })).toEqual({ seq: 5_000, floor: 4_900 });
  });

  it("hides what is too old at once, deletes it later, and remembers the floor", () => {
    const target = open({ maxAgeMs: HOUR_MS });
    target.write([event(LOBBY), event(TABLE), event(LOBBY)], []);
    now += HOUR_MS / 2;
    target.write([event(LOBBY), event(LOBBY)], []);
    now += HOUR_MS / 2;
    expect(shown(target, LOBBY)).toEqual([1, 3, 4, 5]);
    now += 1;
    expect(shown(target, LOBBY)).toEqual([4, 5]);
    expect(target.read({ kind: "position", room: LOBBY })).toEqual({ seq: 5, floor: 3 });
    expect(target.read({ kind: "position", room: TABLE })).toEqual({ seq: 5, floor: 2 });
    expect(target.read({ kind: "tail", after: 0 }).rows.map(({ seq }) => seq)).toEqual([4, 5]);
    trimAll(target);
    expect(target.read({ kind: "position", room: LOBBY })).toEqual({ seq: 5, floor: 3 });
    expect(inspect()).toMatchObject({ events: 2, floors: { [LOBBY]: 3, [TABLE]: 2 } });
    const later = open({ maxAgeMs: HOUR_MS });
    expect(later.read({ kind: "position", room: TABLE })).toEqual({ seq: 5, floor: 2 });
    expect(write(later, event(TABLE))).toEqual({ seq: 6, prevSeq: 0, duplicate: false });
  });

  it("is not confused by a clock that is set back", () => {
    const target = open({ maxAgeMs: HOUR_MS });
    write(target, event(LOBBY));
    now -= 10 * HOUR_MS;
    write(target, event(LOBBY));
    expect(shown(target, LOBBY)).toEqual([1, 2]);
    now += 11 * HOUR_MS + 1;
    expect(shown(target, LOBBY)).toEqual([]);
    expect(target.read({ kind: "position", room: LOBBY }).floor).toBe(2);
  });

  it("knows each room's previous event, after a restart as well", () => {
    const target = open();
    expect(target.write([event(LOBBY), event(TABLE), event(LOBBY)], []).events.map(({ prevSeq }) => prevSeq)).toEqual([
      0, 0, 1,
    ]);
    expect(write(open(), event(LOBBY)).prevSeq).toBe(3);
  });

  it("undoes a failed transaction as a whole, and goes on as if it had never been", () => {
    const target = open({ maxMessages: 1_000 }, 512 * 1024);
    write(target, event(LOBBY, 100, { dedupeId: "kept" }));
    const { revision } = target.write([], [{ op: "put", key: "a", value: new Uint8Array([1]) }]).control[0] ?? {};
    const failing = [
      event(TABLE, 100, { dedupeId: "undone" }),
      event(LOBBY, 100, { deletedSeq: 1 }),
      event(LOBBY, 600_000),
    ];
    const put = { op: "put", key: "a", value: new Uint8Array([2]) } as const;
    expect(() => target.write(failing, [put])).toThrow("database or disk is full");
    expect(shown(target, LOBBY)).toEqual([1]);
    expect(target.read({ kind: "logEnd" })).toBe(1);
    expect(target.read({ kind: "entry", key: "a" })).toMatchObject({ revision, value: new Uint8Array([1]) });
    expect(target.write([event(TABLE, 100, { dedupeId: "undone" })], [put])).toEqual({
      events: [{ seq: 2, prevSeq: 0, duplicate: false }],
      control: [{ applied: true, revision: (revision ?? 0) + 1 }],
    });
    expect(write(target, event(LOBBY, 100, { dedupeId: "kept" }))).toMatchObject({ seq: 1, duplicate: true });
    const { bytes, counted } = inspect();
    expect(counted).toBe(bytes);
  });

  it("tells by a probe whether there is space", () => {
    const target = open({}, 256 * 1024);
    target.probe();
    const seqs: number[] = [];
    expect(() => {
      for (;;) seqs.push(write(target, event(LOBBY, 4_000)).seq);
    }).toThrow("database or disk is full");
    expect(() => target.probe()).toThrow("database or disk is full");
    for (const seq of seqs.slice(0, 6)) write(target, event(LOBBY, 1, { deletedSeq: seq }));
    target.probe();
  });

  it("never gives a seq twice, even when the last event is gone", () => {
    const target = open();
    target.write([event(LOBBY), event(LOBBY)], []);
    write(target, event(LOBBY, 1, { deletedSeq: 2 }));
    write(target, event(LOBBY, 1, { deletedSeq: 3 }));
    now += 2 * HOUR_MS;
    trimAll(open({ maxAgeMs: HOUR_MS }));
    expect(inspect().events).toBe(0);
    expect(write(open(), event(LOBBY)).seq).toBe(5);
  });
});
