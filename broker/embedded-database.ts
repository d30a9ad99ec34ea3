import { randomBytes } from "node:crypto";
import { mkdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import type { StorageOptions } from "./embedded-protocol.ts";
import { BrokerOpenError } from "./open-error.ts";

/** Name of the database in DATA_DIR. */
export const FILE_NAME = "baccarat.db";
/** "bacc": tells this program's files from any other SQLite database. */
const APPLICATION_ID = 0x62616363;
const SCHEMA_VERSION = 2;
const PAGE_BYTES = 4_096;
/** A larger file is not checked as a whole when it is opened: that would read all of it. */
const CHECKED_BYTES = 64 * 1024 * 1024;

const ROOM_EVENTS = `
  CREATE TABLE room_events (
    room INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (room, seq)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO meta (name, value) VALUES ('indexed', 0), ('cleaned', 0);
`;
const SCHEMA = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE rooms (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, floor INTEGER NOT NULL DEFAULT 0) STRICT;
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    room INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body BLOB NOT NULL
  ) STRICT;
  CREATE TABLE dedupe (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
  CREATE TABLE control (key TEXT PRIMARY KEY, revision INTEGER NOT NULL, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE probe (data BLOB NOT NULL) STRICT;
  ${ROOM_EVENTS}
`;
/** Version 1 had an index of the events themselves (see EventIndex). What it says is taken over as it is. */
const FROM_VERSION_1 = `
  BEGIN IMMEDIATE;
  ${ROOM_EVENTS}
  INSERT INTO room_events SELECT room, seq FROM events INDEXED BY events_by_room ORDER BY room, seq;
  UPDATE meta SET value = (SELECT coalesce(max(seq), 0) FROM events) WHERE name = 'indexed';
  DROP INDEX events_by_room;
  PRAGMA user_version = 2;
  COMMIT;
`;

/** A prepared statement with rows of a known shape. */
export interface Query<Row = unknown> {
  get(...values: SQLInputValue[]): Row | undefined;
  all(...values: SQLInputValue[]): Row[];
  /** Rows one by one; leaving the loop early ends the statement. */
  iterate(...values: SQLInputValue[]): Iterable<Row>;
  run(...values: SQLInputValue[]): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint };
}

/** Prepares a statement; `Row` is a promise of its author, node:sqlite cannot know. */
export function prepare<Row>(db: DatabaseSync, sql: string): Query<Row> {
  return db.prepare(sql) as unknown as Query<Row>;
}

/**
 * Opens the database of a directory, for this process alone, and creates what does not exist.
 *
 * The lock is SQLite's own exclusive lock of the file, which the kernel releases with the process: nothing is left behind
 * by kill -9. synchronous=FULL, so that an acknowledged write survives power loss too: with one transaction for all
 * that is waiting, a flush costs latency (one per transaction) but no throughput.
 * @throws BrokerOpenError
 */
export function openDatabase(options: Pick<StorageOptions, "dataDir" | "maxFileBytes">): DatabaseSync {
  const path = pathIn(options.dataDir);
  createDirectory(options.dataDir);
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { timeout: 0 });
    db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    // Checkpoints stall this thread for tens of milliseconds: fewer and larger ones write hot pages less often.
    db.exec("PRAGMA wal_autocheckpoint = 4096; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -65536");
    if (options.maxFileBytes !== undefined) {
      db.exec(`PRAGMA max_page_count = ${Math.ceil(options.maxFileBytes / PAGE_BYTES)}`);
    }
    prepareSchema(db, path);
    return db;
  } catch (error) {
    if (db?.isOpen) db.close();
    throw toOpenError(error, options.dataDir);
  }
}

/** Gives the log of a directory that no process uses another epoch; returns both. @throws BrokerOpenError */
export function replaceEpoch(dataDir: string): { readonly before: string; readonly after: string } {
  if (statSync(pathIn(dataDir), { throwIfNoEntry: false }) === undefined) {
    throw new BrokerOpenError("unusable_directory", `there is no log in DATA_DIR ${dataDir}`);
  }
  const db = openDatabase({ dataDir });
  try {
    const before = prepare<{ value: string }>(db, "SELECT value FROM meta WHERE name = 'epoch'").get()?.value ?? "";
    const after = newEpoch();
    prepare(db, "UPDATE meta SET value = ? WHERE name = 'epoch'").run(after);
    return { before, after };
  } finally {
    db.close();
  }
}

const newEpoch = (): string => randomBytes(8).toString("hex");

const pathIn = (dataDir: string): string => join(dataDir, FILE_NAME);

function createDirectory(dataDir: string): void {
  try {
    // Messages and the secret of guest sessions are in there: other users have no business with it.
    makeDirectory(resolve(dataDir));
  } catch (error) {
    throw new BrokerOpenError("unusable_directory", `DATA_DIR ${dataDir} cannot be created: ${textOf(error)}`, {
      cause: error,
    });
  }
}

/** With its parents. Not by mkdir's `recursive`, which tries for ever where a system says ENOENT to all of it, as in /proc. */
function makeDirectory(path: string): void {
  if (isDirectory(path)) return;
  if (dirname(path) !== path) makeDirectory(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process may have been faster.
    if (!isDirectory(path)) throw error;
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function prepareSchema(db: DatabaseSync, path: string): void {
  const isEmpty = prepare(db, "SELECT 1 FROM sqlite_schema").get() === undefined;
  if (isEmpty) {
    createSchema(db);
    return;
  }
  if (pragma(db, "application_id") !== APPLICATION_ID) {
    throw new BrokerOpenError("damaged", `${path} is no database of this program: choose another DATA_DIR`);
  }
  const version = pragma(db, "user_version");
  if (version > SCHEMA_VERSION) {
    throw new BrokerOpenError(
      "newer_schema",
      `${path} was written by a newer version of this program (schema ${version}, known: ${SCHEMA_VERSION})`,
    );
  }
  if (statSync(path).size <= CHECKED_BYTES) check(db, path);
  if (version === 1) db.exec(FROM_VERSION_1);
  renewCopy(db);
}

/** What goes on from a copy is another log than the one it was made of: clients may know positions of either. */
function renewCopy(db: DatabaseSync): void {
  if (prepare(db, "SELECT 1 FROM meta WHERE name = 'copy'").get() === undefined) return;
  prepare(db, "UPDATE meta SET value = ? WHERE name = 'epoch'").run(newEpoch());
  prepare(db, "DELETE FROM meta WHERE name = 'copy'").run();
}

function createSchema(db: DatabaseSync): void {
  db.exec("BEGIN IMMEDIATE");
  db.exec(SCHEMA);
  const insert = prepare(db, "INSERT INTO meta (name, value) VALUES (?, ?)");
  insert.run("epoch", newEpoch());
  insert.run("bytes", 0);
  insert.run("revision", 0);
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
}

function check(db: DatabaseSync, path: string): void {
  const [first] = prepare<{ quick_check: string }>(db, "PRAGMA quick_check(1)").all();
  if (first?.quick_check !== "ok") throw damaged(path, first?.quick_check ?? "quick_check says nothing");
}

function pragma(db: DatabaseSync, name: "application_id" | "user_version"): number {
  return prepare<Record<string, number>>(db, `PRAGMA ${name}`).get()?.[name] ?? 0;
}

/** Primary result codes of SQLite (sqlite.org/rescode.html); the extended code has more in its upper bits. */
const RESULT = { busy: 5, readonly: 8, corrupt: 11, cannotOpen: 14, notADatabase: 26 } as const;

/** Says of anything thrown while a directory's database was opened what an operator can do about it. */
export function toOpenError(error: unknown, dataDir: string): BrokerOpenError {
  if (error instanceof BrokerOpenError) return error;
  const path = pathIn(dataDir);
  switch (resultOf(error)) {
    case RESULT.busy:
      return new BrokerOpenError(
        "in_use",
        `${path} is in use by another process: stop that one, or choose another DATA_DIR`,
        { cause: error },
      );
    case RESULT.corrupt:
    case RESULT.notADatabase:
      return damaged(path, textOf(error), error);
    case RESULT.cannotOpen:
    case RESULT.readonly:
      return new BrokerOpenError("unusable_directory", `DATA_DIR ${dataDir} cannot be written: ${textOf(error)}`, {
        cause: error,
      });
    default:
      return new BrokerOpenError("failed", `${path} cannot be opened: ${textOf(error)}`, { cause: error });
  }
}

function damaged(path: string, what: string, cause?: unknown): BrokerOpenError {
  const message = `${path} is damaged (${what}): restore a backup, or move it away to begin an empty log`;
  return new BrokerOpenError("damaged", message, { cause });
}

function resultOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff;
}

/** What an error says. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
