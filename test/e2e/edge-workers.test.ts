import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TestClient } from "../support/client.ts";
import { Cluster } from "../support/cluster.ts";
import { Crowd, newRoom } from "../support/crowd.ts";
import { eventually } from "../support/eventually.ts";
import { presenceIs } from "../support/presence-truth.ts";
import { NO_TRAFFIC_LIMITS } from "../support/topology.ts";

/** So many that one worker has none of them once in 32,768 runs. */
const CLIENTS = 16;
/** As Cluster names its first edge, with the number of the worker. */
const WORKERS = ["edge-0-1", "edge-0-2"];

const topology = new Cluster({ ...NO_TRAFFIC_LIMITS, EDGE_WORKERS: "2" }, { nats: 1, rooms: 1, edges: 1 });
beforeAll(() => topology.start(), 90_000);
afterAll(() => topology.stop(), 30_000);

const ops = async (path: string): Promise<string> => (await fetch(`${topology.ops[0]}${path}`)).text();
/** What /readyz says of workers that are not ready, while the whole is. */
const warnings = async (): Promise<unknown[]> => {
  const answer = JSON.parse(await ops("/readyz")) as { ready: boolean; warnings: unknown[] };
  expect(answer.ready).toBe(true);
  return answer.warnings;
};
/** Processes of workers that were started so far, by number. */
const pids = (number: number): number[] =>
  topology
    .edge(0)
    .logLines()
    .flatMap(({ msg, worker, pid }) => (msg === "worker started" && worker === number ? [Number(pid)] : []));

describe("an edge with two workers", () => {
  it("is one edge to clients and operators, and outlives kill -9 of a worker", async () => {
    await using crowd = new Crowd(topology);
    const room = newRoom("workers");
    const clients = await crowd.joinMany(CLIENTS, room, () => ({}));
    expect([...new Set(clients.map(({ welcome }) => welcome.edge_id))].sort()).toEqual(WORKERS);
    await clients[0]?.say(room, "to everybody");
    await Promise.all(clients.map((client) => client.next("new_message")));

    await eventually("both workers to be ready", async () => (await warnings()).length === 0);
    const metrics = await ops("/metrics");
    const held = [...metrics.matchAll(/^baccarat_connections\{worker="\d"\} (\d+)$/gm)].map(([, count]) =>
      Number(count),
    );
    expect([held.length, held.reduce((sum, count) => sum + count, 0)]).toEqual([2, CLIENTS]);
    expect(metrics).toContain("baccarat_workers 2\n");

    const [doomed, others] = [WORKERS[0], WORKERS[1]].map((id) =>
      clients.filter(({ welcome }) => welcome.edge_id === id),
    );
    process.kill(pids(1)[0] ?? 0, "SIGKILL");
    const back = await Promise.all((doomed ?? []).map((client) => comeBack(crowd, client, room)));
    const runsAgain = async () => pids(1).length === 2 && (await warnings()).length === 0;
    await eventually("worker 1 to run again", runsAgain, { state: () => topology.edge(0).stdout });
    expect(await ops("/metrics")).toContain("baccarat_worker_restarts_total 1\n");
    await eventually("a client to be taken by the new worker 1", async () => {
      const newcomer = await crowd.connect();
      return newcomer.welcome.edge_id === WORKERS[0];
    });

    const everybody = [...(others ?? []), ...back];
    await presenceIs(
      topology.rpcs,
      room,
      everybody.map(({ uid }) => uid),
      5_000,
    );
    await everybody[0]?.say(room, "all here");
    await Promise.all(everybody.map((client) => client.next("new_message", ({ message }) => message === "all here")));
    for (const client of others ?? []) expect(client.frames.filter(({ type }) => type === "member_left")).toEqual([]);
  });
});

async function comeBack(crowd: Crowd, client: TestClient, room: string): Promise<TestClient> {
  expect((await client.closed).code).toBe(1006);
  // The kernel may still hand connections to the worker that is gone, and resets them.
  const again = await eventually("a worker to take the client", () =>
    crowd.resume(client.welcome.session).catch(() => undefined),
  );
  await again.request("join_room", { room_id: room });
  return again;
}
