import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../../broker/embedded-database.ts";
import { BrokerOpenError, type OpenProblem } from "../../../broker/open-error.ts";

let parent: string;
let dataDir: string;
let file: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "baccarat-database-"));
  dataDir = join(parent, "deep", "data");
  file = join(dataDir, "baccarat.db");
});
afterEach(() => rm(parent, { recursive: true, force: true }));

/** Opens, expecting a refusal, and returns its message. */
function refusal(problem: OpenProblem, directory = dataDir): string {
  try {
    openDatabase({ dataDir: directory }).close();
  } catch (error) {
    expect(error).toBeInstanceOf(BrokerOpenError);
    expect(error).toMatchObject({ problem });
    const { message } = error as BrokerOpenError;
    expect(message).not.toContain("\n");
    return message;
  }
  throw new Error(`opening was expected to fail: ${problem}`);
}

describe("openDatabase", () => {
  it("creates the directory for its owner alone, and one file", async () => {
    const db = openDatabase({ dataDir });
    expect((await stat(dataDir)).mode & 0o077).toBe(0);
    db.close();
    expect(await readdir(dataDir)).toEqual(["baccarat.db"]);
    openDatabase({ dataDir }).close();
  });

  it("refuses a database that is open elsewhere, at once", () => {
    const db = openDatabase({ dataDir });
    const begun = performance.now();
    expect(refusal("in_use")).toBe(`${file} is in use by another process: stop that one, or choose another DATA_DIR`);
    expect(performance.now() - begun).toBeLessThan(1_000);
    db.close();
    openDatabase({ dataDir }).close();
  });

  it("refuses a directory it cannot make or use", async () => {
    const blocker = join(parent, "file");
    await writeFile(blocker, "");
    expect(refusal("unusable_directory", join(blocker, "data"))).toMatch(
      /^DATA_DIR \S+ cannot be created: E\w+: .+\/file'$/,
    );
    // Where nothing can be made, mkdir with `recursive` would not return.
    expect(refusal("unusable_directory", "/proc/none/data")).toMatch(/^DATA_DIR \S+ cannot be created: /);
    await mkdir(file, { recursive: true });
    expect(refusal("unusable_directory")).toMatch(/^DATA_DIR \S+ cannot be written: unable to open database file/);
  });

  it("refuses a file that is no database", async () => {
    await mkdir(dataDir, { recursive: true });
    await writeFile(file, "this is no database, but long enough to look at its header".repeat(100));
    expect(refusal("damaged")).toBe(
      `${file} is damaged (file is not a database): restore a backup, or move it away to begin an empty log`,
    );
  });

  it("refuses a file with damaged pages", async () => {
    const db = openDatabase({ dataDir });
    const insert = db.prepare("INSERT INTO events (room, at, body) VALUES (1, 1, zeroblob(3000))");
    for (let count = 0; count < 100; count++) insert.run();
    db.close();
    const bytes = await readFile(file);
    // The second half: pages of events, not the schema.
    bytes.fill(0xff, bytes.length / 2);
    await writeFile(file, bytes);
    expect(refusal("damaged")).toMatch(/baccarat\.db is damaged \(.+\): restore a backup/);
  });

  it("refuses a database of another program, and a newer one of its own", () => {
    openDatabase({ dataDir }).close();
    let db = new DatabaseSync(file);
    db.exec("PRAGMA user_version = 999");
    db.close();
    expect(refusal("newer_schema")).toBe(
      `${file} was written by a newer version of this program (schema 999, known: 2)`,
    );
    db = new DatabaseSync(file);
    db.exec("PRAGMA application_id = 1");
    db.close();
    expect(refusal("damaged")).toBe(`${file} is no database of this program: choose another DATA_DIR`);
  });

  it("takes over what version 1 has stored", () => {
    let db = openDatabase({ dataDir });
    db.exec(`DROP TABLE room_events; DELETE FROM meta WHERE name IN ('indexed', 'cleaned'); PRAGMA user_version = 1;
      CREATE UNIQUE INDEX events_by_room ON events (room, seq); INSERT INTO rooms (name) VALUES ('a'), ('b')`);
    const insert = db.prepare("INSERT INTO events (room, at, body) VALUES (?, 1, zeroblob(10))");
    for (const room of [2, 1, 2]) insert.run(room);
    db.close();
    db = openDatabase({ dataDir });
    const all = (sql: string) => db.prepare(sql).all();
    expect(all("SELECT room, seq FROM room_events ORDER BY room, seq")).toEqual([
      { room: 1, seq: 2 },
      { room: 2, seq: 1 },
      { room: 2, seq: 3 },
    ]);
    expect(all("SELECT value FROM meta WHERE name = 'indexed'")).toEqual([{ value: 3 }]);
    expect(all("SELECT name FROM sqlite_schema WHERE name = 'events_by_room'")).toEqual([]);
    expect(all("PRAGMA user_version")).toEqual([{ user_version: 2 }]);
    db.close();
    openDatabase({ dataDir }).close();
  });

  it("flushes every transaction to the disk", () => {
    const db = openDatabase({ dataDir });
    expect(db.prepare("PRAGMA synchronous").get()).toEqual({ synchronous: 2 });
    expect(db.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    db.close();
  });
});
