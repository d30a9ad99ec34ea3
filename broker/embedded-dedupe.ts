import type { DatabaseSync } from "node:sqlite";
import { DEDUPE_WINDOW_MS } from "./broker.ts";
import { prepare, type Query } from "./embedded-database.ts";

/** Most ids of one window: 56,000 publishes a second for 150 s. Beyond it publishes fail, since none may be forgotten. */
const MAX_IDS = 2 ** 23;
const FIRST_SLOTS = 2 ** 12;

/**
 * Remembers dedupe ids for one window at least, for two at most.
 *
 * Ids are random, so a table keyed by id would write a page of its tree per publish (2.4 times slower at 1.5 million ids). They
 * are stored in the order of seq instead, and found by hints in memory that point at rows. A hint may be wrong, for
 * instance after its transaction was undone; the row decides.
 */
export class DedupeWindow {
  readonly #now: () => number;
  readonly #find: Query;
  readonly #insert: Query;
  readonly #oldest: Query<{ seq: number }>;
  readonly #delete: Query;
  readonly #maxIds: number;
  #newer = new SeqHints();
  #older = new SeqHints();
  #newerSince: number;
  /** Rows up to here are forgotten, and deleted bit by bit. */
  #forgotten = 0;
  /** Rows up to here are deleted, as far as known: a transaction may be undone, and the next window sees to that. */
  #deleted = 0;

  constructor(options: {
    db: DatabaseSync;
    /** Clock in milliseconds since 1970 that never steps. Default: the process's. */
    now?: (() => number) | undefined;
    maxIds?: number | undefined;
  }) {
    const { db } = options;
    this.#now = options.now ?? steadyNow;
    this.#maxIds = options.maxIds ?? MAX_IDS;
    this.#find = prepare(db, "SELECT 1 FROM dedupe WHERE seq = ? AND id = ?");
    this.#insert = prepare(db, "INSERT INTO dedupe (seq, id, at) VALUES (?, ?, ?)");
    this.#oldest = prepare(db, "SELECT seq FROM dedupe WHERE seq <= ? ORDER BY seq LIMIT ?");
    this.#delete = prepare(db, "DELETE FROM dedupe WHERE seq <= ?");
    this.#newerSince = this.#now();
    this.#load(db);
  }

  /** Seq of the event that was stored with this id, undefined when there is none. */
  find(id: string): number | undefined {
    const hash = hashOf(id);
    const isRow = (seq: number): boolean => this.#find.get(seq, id) !== undefined;
    return this.#newer.find(hash, isRow) ?? this.#older.find(hash, isRow);
  }

  /** Remembers an id. @throws Error when there are too many. */
  remember(id: string, seq: number): void {
    this.#rotate();
    if (this.#newer.size >= this.#maxIds) {
      throw new Error(`over ${this.#maxIds} publishes with an id within ${DEDUPE_WINDOW_MS / 1_000} s`);
    }
    this.#insert.run(seq, id, Math.floor(this.#now()));
    this.#newer.add(hashOf(id), seq);
  }

  /** Deletes rows that are forgotten, at most `budget`; returns how many it deleted. */
  trim(budget: number): number {
    this.#rotate();
    if (this.#deleted === this.#forgotten) return 0;
    const rows = this.#oldest.all(this.#forgotten, budget);
    const last = rows.at(-1);
    if (last) this.#delete.run(last.seq);
    if (rows.length < budget) this.#deleted = this.#forgotten;
    return rows.length;
  }

  #rotate(): void {
    const now = this.#now();
    if (now - this.#newerSince < DEDUPE_WINDOW_MS) return;
    // Everything before the newer hints' first row belongs to the older ones, which go.
    if (this.#newer.first > 0) this.#forgotten = this.#newer.first - 1;
    this.#older = this.#newer;
    this.#newer = new SeqHints();
    this.#newerSince = now;
  }

  #load(db: DatabaseSync): void {
    const cutoff = this.#now() - DEDUPE_WINDOW_MS;
    const rows = prepare<{ seq: number; id: string; at: number }>(db, "SELECT seq, id, at FROM dedupe ORDER BY seq");
    for (const { seq, id, at } of rows.iterate()) {
      if (at >= cutoff || this.#newer.size > 0) this.#newer.add(hashOf(id), seq);
      else this.#forgotten = seq;
    }
  }
}

/** Hash → seqs, in open addressing: 24 bytes an id and nothing for the garbage collector to visit. */
class SeqHints {
  /** How many were added. */
  size = 0;
  /** The seq added first, 0 when none. */
  first = 0;
  #hashes = new Uint32Array(FIRST_SLOTS);
  /** 0 marks a free slot: no event has that seq. */
  #seqs = new Float64Array(FIRST_SLOTS);

  add(hash: number, seq: number): void {
    if (this.size * 2 >= this.#seqs.length) this.#grow();
    this.#place(hash, seq);
    if (this.size === 0) this.first = seq;
    this.size++;
  }

  /** The first seq with this hash that `accepts`. */
  find(hash: number, accepts: (seq: number) => boolean): number | undefined {
    const mask = this.#seqs.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const seq = this.#seqs[slot] ?? 0;
      if (seq === 0) return undefined;
      if (this.#hashes[slot] === hash && accepts(seq)) return seq;
    }
  }

  #place(hash: number, seq: number): void {
    const mask = this.#seqs.length - 1;
    let slot = hash & mask;
    while (this.#seqs[slot] !== 0) slot = (slot + 1) & mask;
    this.#hashes[slot] = hash;
    this.#seqs[slot] = seq;
  }

  #grow(): void {
    const hashes = this.#hashes;
    const seqs = this.#seqs;
    this.#hashes = new Uint32Array(hashes.length * 2);
    this.#seqs = new Float64Array(seqs.length * 2);
    for (const [slot, seq] of seqs.entries()) {
      if (seq !== 0) this.#place(hashes[slot] ?? 0, seq);
    }
  }
}

/** FNV-1a (draft-eastlake-fnv, 32 bits). */
function hashOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < id.length; index++) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

const steadyNow = (): number => performance.timeOrigin + performance.now();
