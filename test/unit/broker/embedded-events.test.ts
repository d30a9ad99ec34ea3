import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { array, assert as check, constantFrom, nat, oneof, property, record } from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase, prepare } from "../../../broker/embedded-database.ts";
import { DedupeWindow } from "../../../broker/embedded-dedupe.ts";
import { EventLog } from "../../../broker/embedded-events.ts";
import type { EventWrite } from "../../../broker/embedded-protocol.ts";
import { ROW_BYTES } from "../../../broker/embedded-retention.ts";
import type { Retention } from "../../../broker/retention.ts";
import type { RoomId } from "../../../services/ids.ts";
import { GENEROUS } from "../../contract/engine.ts";
import { room } from "../../contract/events.ts";

const BODY_BYTES = 100;
const ROOMS = ["a", "b", "c", "d"].map(room);
const FEW = 5;

let parent: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "baccarat-events-"));
});
afterEach(() => rm(parent, { recursive: true, force: true }));

const event = (id: RoomId, deletedSeq = 0): EventWrite => ({
  room: id,
  body: new Uint8Array(BODY_BYTES),
  dedupeId: undefined,
  deletedSeq,
});

interface Options {
  readonly limits?: Partial<Retention>;
  readonly sweepAt?: number;
  readonly maxRooms?: number;
}

/** A log whose process can be killed, and what was stored in it and not deleted by its author. */
class Subject {
  readonly alive = new Map<RoomId, number[]>(ROOMS.map((id) => [id, []]));
  readonly wiped = new Map<RoomId, number>();
  readonly #options: Options;
  readonly #directory: string;
  #lives = 0;
  #db: DatabaseSync;
  #log: EventLog;

  constructor(directory: string, options: Options) {
    this.#options = options;
    this.#directory = directory;
    [this.#db, this.#log] = this.#open();
  }

  get log(): EventLog {
    return this.#log;
  }

  append(id: RoomId, count: number): void {
    const seqs = this.#inTransaction(() => Array.from({ length: count }, () => this.#log.append(event(id)).seq));
    this.alive.set(id, [...(this.alive.get(id) ?? []), ...seqs]);
  }

  /** Deletes the room's n-th event counted from the last. */
  wipe(id: RoomId, fromLast: number): void {
    const seqs = this.alive.get(id) ?? [];
    const deletedSeq = seqs[seqs.length - 1 - fromLast];
    if (deletedSeq === undefined) return;
    const { seq } = this.#inTransaction(() => this.#log.append(event(id, deletedSeq)));
    this.alive.set(id, [...seqs.filter((one) => one !== deletedSeq), seq]);
    this.wiped.set(id, (this.wiped.get(id) ?? 0) + 1);
  }

  tidy(budget: number): void {
    this.#inTransaction(() => this.#log.trim(budget) + this.#log.settle(budget));
  }

  /** A transaction that does much, and is undone. */
  fail(id: RoomId, count: number): void {
    this.#db.exec("BEGIN");
    for (let left = count; left > 0; left--) this.#log.append(event(id, this.alive.get(id)?.at(-1)));
    this.#log.trim(count * FEW);
    this.#log.settle(count * FEW);
    this.#log.save();
    this.#db.exec("ROLLBACK");
    this.#log.reload();
  }

  /** What it shows must be the same afterwards. */
  kill(): void {
    const before = this.shown();
    const files = ["baccarat.db", "baccarat.db-wal"].map((name) => [this.#path(name), name] as const);
    this.#lives++;
    mkdirSync(this.#path(""));
    for (const [from, name] of files) if (existsSync(from)) copyFileSync(from, this.#path(name));
    this.#db.close();
    [this.#db, this.#log] = this.#open();
    expect(this.shown()).toEqual(before);
  }

  shown(): { readonly id: RoomId; readonly floor: number; readonly seqs: readonly number[] }[] {
    return ROOMS.map((id) => ({ id, floor: this.#log.position(id).floor, seqs: this.#seqs(id, { limit: 10_000 }) }));
  }

  verify(): void {
    const { maxMessages } = { ...GENEROUS, ...this.#options.limits };
    for (const { id, floor, seqs } of this.shown()) {
      const alive = this.alive.get(id) ?? [];
      expect(seqs).toEqual(alive.filter((seq) => seq > floor));
      expect(seqs.length).toBeLessThanOrEqual(maxMessages);
      if (this.#options.limits?.maxBytes === undefined) {
        expect(seqs.length).toBeGreaterThanOrEqual(Math.min(maxMessages, alive.length) - (this.wiped.get(id) ?? 0));
      }
      this.#verifyPages(id, floor, seqs);
    }
    this.#verifyTail();
    expect(prepare<{ value: number }>(this.#db, "SELECT value FROM meta WHERE name = 'bytes'").get()?.value).toBe(
      prepare<{ bytes: number }>(this.#db, `SELECT count(*) * ${BODY_BYTES + ROW_BYTES} AS bytes FROM events`).get()
        ?.bytes,
    );
  }

  close(): void {
    this.#db.close();
  }

  #verifyPages(id: RoomId, floor: number, seqs: readonly number[]): void {
    for (const [index, seq] of seqs.entries()) {
      const { rows, prevSeq, hasMore } = this.#log.history(id, { after: seq - 1, limit: 3 });
      expect(rows.map((row) => row.seq)).toEqual(seqs.slice(index, index + 3));
      expect({ prevSeq, hasMore }).toEqual({ prevSeq: seqs[index - 1] ?? 0, hasMore: index + 3 < seqs.length });
      expect(this.#seqs(id, { before: seq, limit: 3 })).toEqual(seqs.slice(Math.max(0, index - 3), index));
    }
    expect(this.#seqs(id, { after: floor, limit: 2 })).toEqual(seqs.slice(0, 2));
  }

  /** All that is shown, and what is hidden but there, each linked to the one before. */
  #verifyTail(): void {
    const { rows } = this.#log.tail(0);
    for (const { id, seqs } of this.shown()) {
      const own = rows.filter((row) => row.room === id);
      expect(own.map(({ seq }) => seq)).toEqual(expect.arrayContaining([...seqs]));
      for (const [index, { prevSeq }] of own.entries()) if (index > 0) expect(prevSeq).toBe(own[index - 1]?.seq);
      expect(own[0]?.prevSeq ?? 0).toBe(0);
    }
  }

  #seqs(id: RoomId, range: Parameters<EventLog["history"]>[1]): number[] {
    return this.#log.history(id, range).rows.map(({ seq }) => seq);
  }

  #open(): [DatabaseSync, EventLog] {
    const db = openDatabase({ dataDir: this.#path("") });
    const { limits, ...options } = this.#options;
    const retention = { ...GENEROUS, ...limits };
    return [db, new EventLog({ db, retention, dedupe: new DedupeWindow({ db }), ...options })];
  }

  #path(name: string): string {
    return join(this.#directory, `life-${this.#lives}`, name);
  }

  #inTransaction<T>(work: () => T): T {
    this.#db.exec("BEGIN");
    const result = work();
    this.#log.save();
    this.#db.exec("COMMIT");
    return result;
  }
}

const id = constantFrom(...ROOMS);
const anything = array(
  oneof(
    { weight: 6, arbitrary: record({ act: constantFrom("append" as const), id, count: nat(2 * FEW) }) },
    { weight: 2, arbitrary: record({ act: constantFrom("wipe" as const), id, count: nat(2 * FEW) }) },
    { weight: 3, arbitrary: record({ act: constantFrom("tidy" as const), id, count: nat(4 * FEW) }) },
    { weight: 1, arbitrary: record({ act: constantFrom("fail" as const), id, count: nat(FEW) }) },
    { weight: 1, arbitrary: record({ act: constantFrom("kill" as const), id, count: nat(0) }) },
  ),
  { size: "medium", maxLength: 60 },
);

describe("EventLog", () => {
  let runs = 0;

  it.each<[string, Options]>([
    ["nothing is written to its index", { limits: { maxMessages: FEW } }],
    ["its index is written at once", { limits: { maxMessages: FEW }, sweepAt: 1 }],
    ["its index is written now and then", { limits: { maxMessages: FEW }, sweepAt: 30 }],
    ["few rooms are kept in memory", { limits: { maxMessages: FEW }, sweepAt: 10, maxRooms: 2 }],
    ["it is to be small", { limits: { maxBytes: 40 * (BODY_BYTES + ROW_BYTES) }, sweepAt: 30 }],
    ["it is to be small, with small rooms", { limits: { maxMessages: 15, maxBytes: 4_000 }, sweepAt: 20 }],
  ])("shows what was stored, whatever happens, when %s", (_when, options) => {
    check(
      property(anything, (acts) => {
        const subject = new Subject(join(parent, `run-${++runs}`), options);
        for (const { act, id: target, count } of acts) {
          if (act === "tidy") subject.tidy(count);
          else if (act === "kill") subject.kill();
          else subject[act](target, count);
          subject.verify();
        }
        subject.close();
      }),
      { numRuns: 25 },
    );
  });

  it("keeps the state of few rooms in memory, and is right about all of them", () => {
    const db = openDatabase({ dataDir: join(parent, "few") });
    const retention = { ...GENEROUS, maxMessages: 3 };
    const log = new EventLog({ db, retention, dedupe: new DedupeWindow({ db }), maxRooms: 4 });
    const rooms = Array.from({ length: 9 }, (_, index) => room(`room-${index}`));
    const seqs = new Map<RoomId, number[]>();
    for (let round = 0; round < 40; round++) {
      for (const one of rooms) {
        const of = seqs.get(one) ?? [];
        const { seq, prevSeq } = log.append(event(one));
        expect(prevSeq).toBe(of.at(-1) ?? 0);
        seqs.set(one, [...of, seq]);
      }
      log.trim(1_000);
    }
    for (const one of rooms) {
      const { rows, hasMore } = log.history(one, { limit: 100 });
      expect({ rows: rows.map(({ seq }) => seq), hasMore }).toEqual({ rows: seqs.get(one)?.slice(-3), hasMore: false });
      expect(log.position(one).floor).toBe(seqs.get(one)?.at(-4));
    }
    const { count } = prepare<{ count: number }>(db, "SELECT count(*) AS count FROM events").get() ?? { count: 0 };
    // What is over maxMessages and its slack of 16 is deleted, in rooms that are in memory at the time.
    expect(count).toBeLessThan(rooms.length * 30);
    db.close();
  });
});
