import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { getNatsServers } from "../../scripts/get-nats-server.ts";
import { isOlder, judgeNatsVersion, OLDEST_NATS, RECOMMENDED_IN_CLUSTER } from "../../services/nats-version.ts";
import { TestClient } from "../support/client.ts";
import { Cluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { ProductProcess } from "../support/process.ts";
import { starve } from "../support/starve.ts";

interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly warnings: readonly string[];
}

const [oldest] = await getNatsServers(process.env);
const version = oldest?.version ?? "";
const cluster = new Cluster({}, { nats: 3, rooms: 1, edges: 1, ...(oldest === undefined ? {} : { server: oldest }) });

beforeAll(() => cluster.start(), 90_000);
afterAll(() => cluster.stop(), 60_000);

/** What the edge and the RoomService say, once both say whether they are ready. */
async function readiness(ready: boolean): Promise<readonly Readiness[]> {
  const answers = new Map<string, Readiness>();
  await eventually(
    `everybody to be ${ready ? "ready" : "not ready"}`,
    async () => {
      for (const ops of cluster.ops) {
        const response = await fetch(`${ops}/readyz`);
        answers.set(ops, (await response.json()) as Readiness);
        expect(response.status).toBe(answers.get(ops)?.ready ? 200 : 503);
      }
      return [...answers.values()].every((answer) => answer.ready === ready);
    },
    { withinMs: 40_000, state: () => [...answers] },
  );
  return [...answers.values()];
}

describe("/readyz", () => {
  it("is green, with a warning where the servers have known faults in a cluster", async () => {
    const finding = judgeNatsVersion({ version, clustered: true }, OLDEST_NATS);
    for (const { reasons, warnings } of await readiness(true)) {
      expect(reasons).toEqual([]);
      expect(warnings).toEqual(finding === undefined ? [] : [finding.text]);
    }
  });

  it("is red where the servers are older than a cluster may have, and what is said there is stored", async () => {
    const NATS_MIN_CLUSTER_VERSION = isOlder(version, RECOMMENDED_IN_CLUSTER) ? RECOMMENDED_IN_CLUSTER : "99.0.0";
    const env = { NATS_URL: cluster.nats.urls.join(","), NATS_MIN_CLUSTER_VERSION };
    const strict = await ProductProcess.start({
      args: ["--role=edge"],
      env: { ...env, ROOM_SERVICE_URL: cluster.rpcs.join(",") },
    });
    const { edge = "", ops = "" } = strict.addresses;
    const wanted = `NATS_MIN_CLUSTER_VERSION is ${NATS_MIN_CLUSTER_VERSION}`;
    const reasons = [`broker: nats-server ${version} is too old for a cluster: ${wanted}`];
    // It attaches a moment after it listens.
    const answer = await eventually("the version to be the only reason", async () => {
      const response = await fetch(`${ops}/readyz`);
      expect(response.status).toBe(503);
      const said = (await response.json()) as Readiness;
      return said.reasons.length === 1 && said.reasons[0]?.startsWith("broker: ") && said;
    });
    expect(answer).toEqual({ ready: false, reasons, warnings: [] });
    expect((await fetch(`${ops}/startupz`)).status).toBe(200);
    expect(await (await fetch(`${ops}/metrics`)).text()).toMatch(/^baccarat_broker_up 1$/m);
    const ann = await TestClient.connect(edge);
    await ann.request("join_room", { room_id: "strict" });
    await ann.say("strict", "stored");
    await ann.close();
    expect(await strict.stop()).toMatchObject({ code: 0 });
  }, 60_000);

  it("is red at a RoomService that has more work than one core does, and green again when it has less", async () => {
    const room = cluster.room(0);
    const { ops = "" } = room.addresses;
    const late = async (): Promise<boolean> => {
      const response = await fetch(`${ops}/readyz`);
      const { reasons } = (await response.json()) as Readiness;
      return response.status === 503 && reasons.some((reason) => /^event loop \d+ ms late$/.test(reason));
    };
    {
      using _starved = starve(room);
      await eventually("the RoomService to say that it is late", late);
      expect((await fetch(`${ops}/livez`)).status).toBe(200);
    }
    await readiness(true);
  }, 60_000);

  it("is red with the reasons while NATS is gone, and green again with no restart", async () => {
    await Promise.all(cluster.nats.nodes.map((node) => node.kill()));
    const [edge, room] = await readiness(false);
    expect(edge?.reasons).toEqual([expect.stringMatching(/^broker: /)]);
    expect(room?.reasons[0]).toMatch(/^broker: /);
    await eventually("the RoomService to know that it is behind", async () => {
      const [, behind] = await readiness(false);
      return behind?.reasons.some((reason) => reason.startsWith("control plane: "));
    });
    for (const ops of cluster.ops) {
      expect((await fetch(`${ops}/livez`)).status).toBe(200);
      expect((await fetch(`${ops}/startupz`)).status).toBe(200);
      expect(await (await fetch(`${ops}/metrics`)).text()).toMatch(/^baccarat_ready 0$/m);
    }
    for (const node of cluster.nats.nodes) node.start();
    await cluster.nats.ready();
    await readiness(true);
  }, 120_000);
});
