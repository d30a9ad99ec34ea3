import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { getNatsServers } from "../../scripts/get-nats-server.ts";
import { Balancer } from "../support/balancer.ts";
import { Cluster } from "../support/cluster.ts";
import { Load } from "../support/load.ts";
import { allIsWell } from "../support/load-verdict.ts";
import { NO_TRAFFIC_LIMITS } from "../support/topology.ts";

const CLIENTS = 50;
const ROOMS = 10;
/** Acknowledgements go on at the latest this long after a fault; an election takes about 5 s. */
const RESUME_MS = 12_000;

const servers = await getNatsServers(process.env);
const newest = servers.at(-1);
/**
 * A replica of nats-server 2.9 whose leader froze under retried publishes may keep other messages under the same seqs
 * (measured; docs/operations.md), so a cluster needs a newer one, and older ones are only killed here.
 */
const survivesFreezing = newest !== undefined && newest.version.localeCompare("2.10", "en", { numeric: true }) >= 0;
const cluster = new Cluster(
  { ...NO_TRAFFIC_LIMITS, HISTORY_MAX_MESSAGES: "100000" },
  newest === undefined ? {} : { server: newest },
);
let balancer: Balancer;
let load: Load;
let rooms: string[];
let round = 0;

beforeAll(async () => {
  await cluster.start();
  balancer = await Balancer.start(() => cluster.edges.map((edge) => Number(new URL(edge).port)));
}, 90_000);
afterAll(async () => {
  await balancer.close();
  await cluster.stop();
}, 40_000);

beforeEach(async () => {
  round++;
  rooms = Array.from({ length: ROOMS }, (_, index) => `fault-${round}-${index}`);
  load = new Load(rooms);
  await load.start(`ws://127.0.0.1:${balancer.port}/ws`, CLIENTS);
  await load.more(300, "before the fault", 30_000);
}, 60_000);
afterEach(() => load.close());

/** As allIsWell, and says what it was. */
async function isWell(): Promise<void> {
  const verdict = await allIsWell(load, rooms, cluster.rpcs);
  process.stdout.write(
    `fault ${round}: acked ${verdict.acked}, lost 0, duplicated 0, resets ${verdict.resets}, longest pause ${Math.round(load.worstGapMs)} ms\n`,
  );
}

describe("50 clients that talk all the time", () => {
  it("lose nothing when an edge is killed", async () => {
    await cluster.killEdge(0);
    await load.more(500, "after an edge was killed", RESUME_MS);
    await cluster.startEdge(0);
    await isWell();
  }, 90_000);

  it("lose nothing when a RoomService is killed", async () => {
    await cluster.killRoom(0);
    await load.more(500, "after a RoomService was killed", RESUME_MS);
    await cluster.startRoom(0);
    await isWell();
  }, 90_000);

  it("lose nothing when the stream's leader is killed", async () => {
    const leader = await cluster.nats.leader("BACCARAT_LOG");
    await leader.kill();
    // Nodes wait 4 to 9 s before they stand for election, and do so once more when the vote is split.
    await load.more(200, "after the leader was killed", 2 * RESUME_MS);
    leader.start();
    await cluster.nats.ready();
    await isWell();
  }, 120_000);

  it("lose nothing when every NATS server is killed, and need no restart", async () => {
    await Promise.all(cluster.nats.nodes.map((node) => node.kill()));
    for (const node of cluster.nats.nodes) node.start();
    await cluster.nats.ready();
    await load.more(200, "after all of NATS was killed", 40_000);
    await isWell();
  }, 150_000);

  it("lose nothing when an edge and then a RoomService freeze and thaw", async () => {
    for (const frozen of [cluster.edge(1), cluster.room(1)]) {
      frozen.signal("SIGSTOP");
      await load.more(100, "while a process was frozen", 2 * RESUME_MS);
      frozen.signal("SIGCONT");
    }
    await load.more(300, "after the thaw", RESUME_MS);
    await isWell();
  }, 120_000);

  it("lose nothing when every edge is restarted in turn", async () => {
    for (const index of [0, 1, 2]) {
      expect((await cluster.stopEdge(index)).code).toBe(0);
      await cluster.startEdge(index);
      await load.more(200, "after an edge was restarted", RESUME_MS);
    }
    await isWell();
  }, 120_000);
});

if (survivesFreezing) {
  describe("50 clients on a server that may be frozen", () => {
    it("lose nothing when the stream's leader freezes and thaws", async () => {
      const leader = await cluster.nats.leader("BACCARAT_LOG");
      leader.pause();
      await load.more(200, "while the leader was frozen", 2 * RESUME_MS);
      leader.resume();
      await cluster.nats.ready();
      await isWell();
    }, 120_000);

    it("lose nothing when NATS is restarted server by server", async () => {
      for (const node of cluster.nats.nodes) {
        await node.stop();
        node.start();
        await cluster.nats.ready();
      }
      await load.more(200, "after the restart", RESUME_MS);
      await isWell();
    }, 150_000);
  });
}
