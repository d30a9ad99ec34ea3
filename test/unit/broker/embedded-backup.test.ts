import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { writeCopy } from "../../../broker/embedded-backup.ts";
import { openDatabase } from "../../../broker/embedded-database.ts";

/** Long enough for a step of the copy to meet the transaction, or ten. */
const STEPS_MS = 100;

it("a copy that is begun while a transaction is under way has what was committed", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "baccarat-copy-"));
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
  const db = openDatabase({ dataDir });
  onTestFinished(() => db.close());
  db.exec("BEGIN IMMEDIATE");
  db.exec("INSERT INTO meta (name, value) VALUES ('under way', 1)");
  const path = join(dataDir, "copy.db");
  const copied = writeCopy(db, path);
  const outcome = copied.then(
    () => "copied",
    (error: unknown) => error,
  );
  expect(await Promise.race([outcome, delay(STEPS_MS, "waits")])).toBe("waits");
  db.exec("COMMIT");
  await copied;
  const copy = new DatabaseSync(path, { readOnly: true });
  onTestFinished(() => copy.close());
  expect(copy.prepare("SELECT value FROM meta WHERE name = 'under way'").get()).toEqual({ value: 1 });
});
