import { mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { getNatsServers } from "../../scripts/get-nats-server.ts";
import { TestClient } from "../support/client.ts";
import { eventually } from "../support/eventually.ts";
import { NatsServers } from "../support/nats-server.ts";
import { ProductProcess, ROOT } from "../support/process.ts";
import { run } from "../support/run.ts";

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

/** What the room's history has, but for the ids of messages, which name the epoch. */
async function history(client: TestClient): Promise<object[]> {
  const { events } = await client.request("get_history", { room_id: "kept", limit: 300 });
  return events.map(({ type, payload }) => ({ type, payload: { ...payload, message_id: "" } }));
}

/** A line of docs/operations.md, with other words in the place of its examples. */
async function documented(beginning: string, words: Readonly<Record<string, string>>): Promise<void> {
  const lines = (await readFile(join(ROOT, "docs/operations.md"), "utf8")).split("\n");
  const line = lines.find((candidate) => candidate.startsWith(beginning));
  if (line === undefined) throw new Error(`docs/operations.md has no line ${beginning}`);
  const command = Object.entries(words).reduce((text, [from, to]) => text.replace(from, to), line);
  const { code, stderr } = await run({ command: ["sh"], args: ["-c", command], env: {} });
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${stderr}`);
}

/** What a client is told that knows more than the log, which was restored. */
async function comesBack(product: ProductProcess, epoch: string, seq: number): Promise<TestClient> {
  const back = await TestClient.connect(product.addresses.edge ?? "");
  const joined = await back.request("join_room", { room_id: "kept", since: { epoch, seq } });
  expect(joined).toMatchObject({ recovered: false, reason: "epoch_changed" });
  return back;
}

describe("a backup", { timeout: 120_000 }, () => {
  it("of the embedded engine is written while it runs, and restored with a new epoch", async () => {
    const [dataDir, backups] = [join(directory, "data"), join(directory, "backups")];
    const env = { DATA_DIR: dataDir, BACKUP_DIR: backups, BACKUP_EVERY: "1s", BACKUP_KEEP: "2" };
    const first = await ProductProcess.start({ env });
    const ann = await enter(first);
    const { epoch } = await ann.request("join_room", { room_id: "kept" });
    await ann.say("kept", "in the backup");
    const kept = await history(ann);
    const before = await readdir(backups);
    const copy = await eventually("a backup that has it", async () => {
      return (await readdir(backups)).find((name) => name.endsWith("Z.db") && !before.includes(name));
    });
    await rename(join(backups, copy), join(directory, "chosen.db"));
    const lost = await ann.say("kept", "after the backup");
    await eventually("old backups to be deleted", async () => {
      const names = await readdir(backups);
      return names.length <= 3 && !names.some((name) => before.includes(name));
    });
    await first.stop();
    expect(first.complaints()).toEqual([]);

    await rename(dataDir, join(directory, "old"));
    await documented("DATA_DIR=./data node bin/roomctl.js restore", {
      "./data": dataDir,
      "./backups/baccarat-20261123T051500Z.db": join(directory, "chosen.db"),
    });
    const restored = await ProductProcess.start({ env: { DATA_DIR: dataDir } });
    const back = await comesBack(restored, epoch, lost.seq);
    expect(await history(back)).toEqual(kept);
    await restored.stop();
  });

  if (process.env.TEST_FULL === "1")
    it("of NATS is taken while it is used, and restored into other servers", async () => {
      const servers = await getNatsServers(process.env);
      for (const { path, version } of servers) {
        await using old = await NatsServers.start({ path, size: 1 });
        const backup = join(directory, version);
        const first = await ProductProcess.start({ env: { NATS_URL: old.urls.join(",") } });
        const ann = await enter(first);
        const { epoch } = await ann.request("join_room", { room_id: "kept" });
        for (let number = 0; number < 250; number++) await ann.say("kept", `message ${number}`);
        const kept = await history(ann);
        const words = { "nats://nats-1:4222": old.urls[0] ?? "", "./backups/monday": backup };
        await documented("NATS_URL=nats://nats-1:4222 node bin/roomctl.js backup", words);
        const lost = await ann.say("kept", "after the backup");
        await first.stop();
        await old.stop();

        await using fresh = await NatsServers.start({ path, size: 3 });
        await documented("NATS_URL=nats://nats-1:4222 node bin/roomctl.js restore", {
          ...words,
          "nats://nats-1:4222": `${fresh.urls.join(",")} NATS_REPLICAS=3`,
        });
        const restored = await ProductProcess.start({ env: { NATS_URL: fresh.urls.join(","), NATS_ADOPT: "1" } });
        const back = await comesBack(restored, epoch, lost.seq);
        expect(await history(back), version).toEqual(kept);
        await restored.stop();
      }
    });
});
