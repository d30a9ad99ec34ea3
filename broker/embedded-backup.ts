import { copyFileSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { FILE_NAME, openDatabase, prepare, replaceEpoch, toOpenError } from "./embedded-database.ts";
import { BrokerOpenError } from "./open-error.ts";

/** Pages copied before writes get their turn: 4 MiB, some milliseconds. */
const PAGES = 1_024;
/** How often a copy is begun that meets a transaction under way, and how long before it is begun again, in milliseconds. */
const BUSY = { tries: 500, waitMs: 10 };
const PARTIAL = ".partial";
const NAME = /^baccarat-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.db$/;

/**
 * Writes a database that is in use by this thread to a file of its own; writes go on in between. Whoever opens the copy
 * as a log gives it another epoch (embedded-database.ts), so that no restore can forget to.
 * @throws Error of SQLite or of the system.
 */
export async function writeCopy(db: DatabaseSync, path: string): Promise<void> {
  const partial = path + PARTIAL;
  rmSync(partial, { force: true });
  await copyPages(db, partial);
  markCopy(partial);
  renameSync(partial, path);
}

async function copyPages(db: DatabaseSync, path: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await backup(db, path, { rate: PAGES });
      return;
    } catch (error) {
      if (!wasBusy(error) || tries === BUSY.tries) throw error;
      await delay(BUSY.waitMs);
    }
  }
}

/**
 * Node copies on another thread. When that meets a transaction, SQLite says busy (sqlite3_backup_step); Node goes on then,
 * but not when it was the first step, and says what last went wrong with the copy: nothing, "not an error".
 */
function wasBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === 0;
}

/** Name of the copy made at a time: in the order of their making. */
export function copyName(at: Date): string {
  return `baccarat-${at.toISOString().replace(/[-:]|\.\d+/g, "")}.db`;
}

/** When a copy was made by its name, in milliseconds since 1970; 0 for what is no copy. */
export function copyTime(name: string): number {
  return Date.parse(name.replace(NAME, "$1-$2-$3T$4:$5:$6Z")) || 0;
}

/** Deletes all copies of a directory but the newest. */
export async function keepNewest(directory: string, keep: number): Promise<void> {
  const copies = (await readdir(directory)).filter((name) => NAME.test(name)).sort();
  for (const name of copies.slice(0, -keep)) rmSync(join(directory, name));
}

/** Copies the database of a directory that no process uses; returns the copy's path. @throws BrokerOpenError */
export async function copyDatabase(dataDir: string, directory: string): Promise<string> {
  requireDatabase(join(dataDir, FILE_NAME), `there is no log in DATA_DIR ${dataDir}`);
  const db = openDatabase({ dataDir });
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, copyName(new Date()));
    await writeCopy(db, path);
    return path;
  } finally {
    db.close();
  }
}

/** Makes a copy the log of a directory that has none; returns its new epoch. @throws BrokerOpenError */
export function restoreDatabase(dataDir: string, copy: string): string {
  requireDatabase(copy, `there is no backup at ${copy}: it is one file, baccarat-<time>.db`);
  const path = join(dataDir, FILE_NAME);
  if (statSync(path, { throwIfNoEntry: false })) {
    throw new BrokerOpenError("unusable_directory", `there is a log in DATA_DIR ${dataDir}: move it away first`);
  }
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  try {
    copyFileSync(copy, path + PARTIAL);
    renameSync(path + PARTIAL, path);
    return replaceEpoch(dataDir).after;
  } catch (error) {
    throw toOpenError(error, dataDir);
  }
}

function requireDatabase(path: string, problem: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) {
    throw new BrokerOpenError("unusable_directory", problem);
  }
}

/** One file without a log beside it, that says what it is. */
function markCopy(path: string): void {
  const db = new DatabaseSync(path);
  try {
    db.exec("PRAGMA journal_mode = DELETE");
    prepare(db, "INSERT OR REPLACE INTO meta (name, value) VALUES ('copy', 1)").run();
  } finally {
    db.close();
  }
}
