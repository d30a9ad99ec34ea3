import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DEDUPE_WINDOW_MS } from "../../../broker/broker.ts";
import { openDatabase, prepare } from "../../../broker/embedded-database.ts";
import { DedupeWindow } from "../../../broker/embedded-dedupe.ts";

let dataDir: string;
let db: DatabaseSync;
let now: number;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "baccarat-dedupe-"));
  db = openDatabase({ dataDir });
  now = Date.now();
});
afterEach(async () => {
  db.close();
  await rm(dataDir, { recursive: true, force: true });
});

const open = (maxIds?: number): DedupeWindow => new DedupeWindow({ db, now: () => now, maxIds });
const rows = (): number => prepare<{ count: number }>(db, "SELECT count(*) AS count FROM dedupe").get()?.count ?? -1;

describe("DedupeWindow", () => {
  it("finds what it was told, and nothing else, however much that is", () => {
    const dedupe = open();
    db.exec("BEGIN");
    for (let seq = 1; seq <= 20_000; seq++) dedupe.remember(`id-${seq}`, seq);
    db.exec("COMMIT");
    for (let seq = 1; seq <= 20_000; seq++) expect(dedupe.find(`id-${seq}`)).toBe(seq);
    for (let seq = 1; seq <= 20_000; seq++) expect(dedupe.find(`other-${seq}`)).toBeUndefined();
  });

  it("remembers for a window at least, and forgets within two", () => {
    const dedupe = open();
    dedupe.remember("a", 1);
    now += DEDUPE_WINDOW_MS - 1;
    dedupe.remember("b", 2);
    now += 1;
    dedupe.trim(10);
    expect([dedupe.find("a"), dedupe.find("b")]).toEqual([1, 2]);
    dedupe.remember("c", 3);
    now += DEDUPE_WINDOW_MS - 1;
    dedupe.trim(10);
    expect(dedupe.find("b")).toBe(2);
    now += 1;
    dedupe.trim(10);
    expect([dedupe.find("a"), dedupe.find("b"), dedupe.find("c")]).toEqual([undefined, undefined, 3]);
    expect(rows()).toBe(1);
  });

  it("deletes what it forgot in bounded steps", () => {
    const dedupe = open();
    for (let seq = 1; seq <= 25; seq++) dedupe.remember(`id-${seq}`, seq);
    now += DEDUPE_WINDOW_MS;
    dedupe.remember("new", 26);
    now += DEDUPE_WINDOW_MS;
    expect([dedupe.trim(10), dedupe.trim(10), dedupe.trim(10), dedupe.trim(10)]).toEqual([10, 10, 5, 0]);
    expect(rows()).toBe(1);
  });

  it("knows after a restart what is not too old", () => {
    const before = open();
    before.remember("old", 1);
    now += 1_000;
    before.remember("young", 2);
    now += DEDUPE_WINDOW_MS - 500;
    const dedupe = open();
    expect([dedupe.find("old"), dedupe.find("young")]).toEqual([undefined, 2]);
    dedupe.trim(10);
    expect(rows()).toBe(1);
    now += DEDUPE_WINDOW_MS - 1;
    dedupe.trim(10);
    expect(dedupe.find("young")).toBe(2);
  });

  it("forgets with an undone transaction, and is not confused by its numbers being given again", () => {
    const dedupe = open();
    db.exec("BEGIN");
    dedupe.remember("undone", 1);
    db.exec("ROLLBACK");
    expect(dedupe.find("undone")).toBeUndefined();
    dedupe.remember("done", 1);
    expect([dedupe.find("undone"), dedupe.find("done")]).toEqual([undefined, 1]);
    dedupe.remember("undone", 2);
    expect([dedupe.find("undone"), dedupe.find("done")]).toEqual([2, 1]);
  });

  it("refuses rather than forgets when there are too many", () => {
    const dedupe = open(3);
    for (let seq = 1; seq <= 3; seq++) dedupe.remember(`id-${seq}`, seq);
    expect(() => dedupe.remember("id-4", 4)).toThrow("over 3 publishes with an id within 150 s");
    expect(dedupe.find("id-1")).toBe(1);
    now += DEDUPE_WINDOW_MS;
    dedupe.remember("id-4", 4);
    expect([dedupe.find("id-1"), dedupe.find("id-4")]).toEqual([1, 4]);
  });
});
