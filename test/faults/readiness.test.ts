import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { versionWarning } from "../../broker/nats-health.ts";
import { getNatsServers } from "../../scripts/get-nats-server.ts";
import { Cluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";

interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly warnings: readonly string[];
}

const [oldest] = await getNatsServers(process.env);
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
    const warning = versionWarning(oldest?.version ?? "", true);
    for (const { reasons, warnings } of await readiness(true)) {
      expect(reasons).toEqual([]);
      expect(warnings).toEqual(warning === undefined ? [] : [warning]);
    }
  });

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
