import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { TestClient } from "../support/client.ts";
import { ProductProcess, ROOT } from "../support/process.ts";

const run = promisify(execFile);

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "baccarat-backup-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function enter(product: ProductProcess): Promise<TestClient> {
  const client = await TestClient.connect(product.addresses.edge ?? "");
  await client.request("join_room", { room_id: "kept" });
  return client;
}

it("a restored backup has what it had, and tells clients that know more to reload", async () => {
  const dataDir = join(directory, "data");
  const first = await ProductProcess.start({ env: { DATA_DIR: dataDir } });
  await (await enter(first)).say("kept", "in the backup");
  await first.stop();
  await cp(dataDir, join(directory, "copy"), { recursive: true });

  const second = await ProductProcess.start({ env: { DATA_DIR: dataDir } });
  const ann = await enter(second);
  const { epoch } = await ann.request("join_room", { room_id: "kept" });
  const lost = await ann.say("kept", "after the backup");
  await second.stop();

  await rm(dataDir, { recursive: true });
  await cp(join(directory, "copy"), dataDir, { recursive: true });
  const command = (await readFile(join(ROOT, "docs/operations.md"), "utf8"))
    .split("\n")
    .find((line) => line.startsWith("node -e") && line.includes("epoch"));
  await run("sh", ["-c", (command ?? "").replace("./data/baccarat.db", join(dataDir, "baccarat.db"))]);

  const restored = await ProductProcess.start({ env: { DATA_DIR: dataDir } });
  const back = await TestClient.connect(restored.addresses.edge ?? "");
  const joined = await back.request("join_room", { room_id: "kept", since: { epoch, seq: lost.seq } });
  expect(joined).toMatchObject({ recovered: false, reason: "epoch_changed" });
  const { events } = await back.request("get_history", { room_id: "kept", limit: 10 });
  expect(events.map(({ payload }) => (payload as { message?: string }).message)).toEqual(["in the backup"]);
  await restored.stop();
}, 60_000);
