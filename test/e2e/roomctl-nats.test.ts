import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { getNatsServer } from "../../scripts/get-nats-server.ts";
import { eventually } from "../support/eventually.ts";
import { NatsServers } from "../support/nats-server.ts";
import { ProductProcess } from "../support/process.ts";
import { roomctl } from "../support/roomctl.ts";

interface EdgeJson {
  readonly edge_id: string;
  readonly draining: boolean;
}

describe("roomctl with NATS", { timeout: 180_000 }, () => {
  it("tells versions, copies, and what is missing, and drains an edge", async () => {
    const { path, version } = await getNatsServer(process.env);
    await using servers = await NatsServers.start({ path, size: 1 });
    const NATS_URL = servers.urls.join(",");
    const directory = await mkdtemp(join(tmpdir(), "baccarat-doctor-"));
    const product = await ProductProcess.start({ env: { NATS_URL, DATA_DIR: directory } });
    const { rpc = "", ops = "", edge: page = "" } = product.addresses;
    const { ctl, says, json } = roomctl(() => ({ url: rpc, token: "" }));
    const doctor = (env: Readonly<Record<string, string>>) =>
      ctl(["doctor", "--ops", ops, "--edge", page], { env: { NATS_URL, ...env } });

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

    const say = () => json<{ message: { message_id: string; seq: string } }>(["send", "general", "hello"]);
    const { message: before } = await say();
    const { message } = await say();
    expect(await says(["trace", message.message_id])).toMatch(
      new RegExp(`\nstored at +\\S+Z \\(-?\\d+ ms\\), seq ${message.seq} after ${before.seq}\n`),
    );

    const edge = async () => (await json<EdgeJson[]>(["edges"]))[0];
    const { edge_id = "" } = (await edge()) ?? {};
    expect(await ctl(["--json", "drain", edge_id])).toMatchObject({ code: 0, stdout: '{"connections":0}\n' });
    await eventually("the edge to say that it drains", async () => (await edge())?.draining === true);
    expect((await doctor({})).stdout).toMatch(new RegExp(`warn edges: edge ${edge_id} .*draining\n +restart it`));
    await product.stop();
    await rm(directory, { recursive: true, force: true });
  });
});
