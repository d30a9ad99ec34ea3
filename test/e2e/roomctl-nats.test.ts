import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { getNatsServer } from "../../scripts/get-nats-server.ts";
import { NatsServers } from "../support/nats-server.ts";
import { ProductProcess, ROOT } from "../support/process.ts";
import { run } from "../support/run.ts";

const ROOMCTL = [process.execPath, "--disable-warning=ExperimentalWarning", join(ROOT, "bin/roomctl.js")] as const;

describe("roomctl doctor, with NATS", { timeout: 180_000 }, () => {
  it("tells versions, copies, and what is missing", async () => {
    const { path, version } = await getNatsServer(process.env);
    await using servers = await NatsServers.start({ path, size: 1 });
    const NATS_URL = servers.urls.join(",");
    const directory = await mkdtemp(join(tmpdir(), "baccarat-doctor-"));
    const product = await ProductProcess.start({ env: { NATS_URL, DATA_DIR: directory } });
    const { rpc = "", ops = "" } = product.addresses;
    const doctor = (env: Readonly<Record<string, string>>) =>
      run({ command: ROOMCTL, args: ["--url", rpc, "doctor", "--ops", ops], env: { NATS_URL, ...env } });

    const well = await doctor({});
    expect(well).toMatchObject({ code: 0, stderr: "" });
    expect(well.stdout).toContain(`n0, version ${version}, alone`);
    expect(well.stdout).toMatch(/ok {3}NATS streams: BACCARAT_LOG has \d+ messages, 1 of 1 copies are up to date/);
    expect(well.stdout).toMatch(/ok {3}NATS streams: KV_baccarat_control/);

    expect(await doctor({ NATS_REPLICAS: "3" })).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/warn NATS streams: BACCARAT_LOG .*\n +3 copies survive/),
    });
    expect(await doctor({ NATS_PREFIX: "other" })).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/FAIL NATS streams: there is no stream OTHER_LOG\n +.*NATS_PREFIX/),
    });
    await product.stop();
    await rm(directory, { recursive: true, force: true });
  });
});
