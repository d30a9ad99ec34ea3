import { afterAll, beforeAll, expect, it } from "vitest";
import { getNatsServers } from "../../scripts/get-nats-server.ts";
import { Balancer } from "../support/balancer.ts";
import { Cluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { Load } from "../support/load.ts";
import { allIsWell } from "../support/load-verdict.ts";
import { ReadyEdges } from "../support/ready-edges.ts";
import { RpcClient } from "../support/rpc.ts";
import { NO_TRAFFIC_LIMITS } from "../support/topology.ts";

const CLIENTS = 90;
const ROOMS = 9;
const DRAIN_SECONDS = 3;
/** Clients, and what acks take, are back at the latest after so long, at the 99th percentile. */
const BACK_MS = 5_000;
/** What an ack takes, at the 99th percentile, when nobody notices that others restart. */
const UNNOTICED_MS = 250;
/** Times a client may have to connect anew: each edge is emptied once, and it may come to the next one to be. */
const MOVES = 3;

const newest = (await getNatsServers(process.env)).at(-1);
const cluster = new Cluster(
  { ...NO_TRAFFIC_LIMITS, HISTORY_MAX_MESSAGES: "100000", DRAIN_SECONDS: String(DRAIN_SECONDS) },
  newest === undefined ? {} : { server: newest },
);
const rooms = Array.from({ length: ROOMS }, (_, index) => `rolling-${index}`);
let ready: ReadyEdges;
let balancer: Balancer;

beforeAll(async () => {
  await cluster.start();
  ready = new ReadyEdges(cluster);
  balancer = await Balancer.start(() => ready.ports);
}, 90_000);
afterAll(async () => {
  await balancer.close();
  ready.close();
  await cluster.stop();
}, 60_000);

/** When clients left and came back, in milliseconds. */
class Moves {
  readonly backMs: number[] = [];
  readonly leftAt: number[] = [];

  watch(load: Load): void {
    for (const client of load.clients) {
      let leftAt: number | undefined;
      client.on("state", ({ name }) => {
        const now = performance.now();
        if (name === "reconnecting" && leftAt === undefined) {
          leftAt = now;
          this.leftAt.push(now);
        } else if (name === "live" && leftAt !== undefined) {
          this.backMs.push(now - leftAt);
          leftAt = undefined;
        }
      });
    }
  }

  /** Most clients that left within any one second. */
  get busiestSecond(): number {
    return Math.max(
      0,
      ...this.leftAt.map((start) => this.leftAt.filter((at) => at >= start && at < start + 1_000).length),
    );
  }

  get p99(): number {
    return this.backMs.toSorted((a, b) => a - b).at(Math.floor(this.backMs.length * 0.99)) ?? 0;
  }
}

/** Latency of what was acknowledged within one second, at the 99th percentile; undefined when nothing was. */
function p99Within(load: Load, from: number): number | undefined {
  const taken = load.latencies.filter(({ at }) => at >= from && at < from + 1_000).map(({ ms }) => ms);
  return taken.sort((a, b) => a - b).at(Math.floor(taken.length * 0.99));
}

/** How long after `from` a second begins in which latency is as usual, in milliseconds. */
function usualAgainAfter(load: Load, from: number, usualMs: number): number {
  for (let at = from; at < performance.now(); at += 100) {
    if ((p99Within(load, at) ?? Number.POSITIVE_INFINITY) <= usualMs) return at - from;
  }
  return Number.POSITIVE_INFINITY;
}

it("every edge and RoomService restarted in turn under load loses nothing, and sends nobody away all at once", async () => {
  const load = new Load(rooms);
  const moves = new Moves();
  await load.start(`ws://127.0.0.1:${balancer.port}/ws`, CLIENTS);
  moves.watch(load);
  await load.more(2_000, "before the restarts", 30_000);
  const beforeMs = p99Within(load, performance.now() - 1_000) ?? 0;
  const usualMs = Math.max(2 * beforeMs, UNNOTICED_MS);
  const goneAt: number[] = [];
  try {
    for (const index of [0, 1, 2]) {
      const stopping = cluster.edge(index);
      const ops = stopping.addresses.ops ?? "";
      const stopped = cluster.stopEdge(index);
      const answer = await eventually("the edge to say that it drains", async () => {
        const response = await fetch(`${ops}/readyz`);
        return response.status === 503 ? ((await response.json()) as unknown) : undefined;
      });
      expect(answer).toMatchObject({ ready: false, reasons: ["draining"] });
      expect((await stopped).code).toBe(0);
      goneAt.push(performance.now());
      await cluster.startEdge(index);
      await load.more(200, "after an edge was restarted", 15_000);
    }
    for (const index of [0, 1]) {
      expect((await cluster.stopRoom(index)).code).toBe(0);
      goneAt.push(performance.now());
      await load.more(100, "while a RoomService was away", 15_000);
      await cluster.startRoom(index);
    }
    await new RpcClient(cluster.rpcs[0] ?? "").call("AdminService/DrainEdge", { edge_id: "edge-0" });
    await eventually(
      "the drained edge to be empty",
      async () => {
        const page = await new RpcClient(cluster.rpcs[1] ?? "").call<{ clients?: unknown[] }>(
          "AdminService/ListClients",
          {
            edge_id: "edge-0",
          },
        );
        return (page.clients ?? []).length === 0 || undefined;
      },
      { withinMs: 20_000 },
    );
    await load.more(200, "after an edge was drained", 15_000);
    const verdict = await allIsWell(load, rooms, cluster.rpcs);
    const usualAgainMs = Math.max(...goneAt.map((at) => usualAgainAfter(load, at, usualMs)));
    process.stdout.write(
      `rolling restart of 3 edges and 2 RoomServices: acked ${verdict.acked}, lost ${verdict.lost.length}, ` +
        `duplicated ${verdict.duplicated.length}, resets ${verdict.resets}; ${moves.leftAt.length} moves of ${CLIENTS} ` +
        `clients, at most ${moves.busiestSecond} in a second, back after p99 ${Math.round(moves.p99)} ms; p99 of acks ` +
        `${Math.round(beforeMs)} ms before, at most ${Math.round(usualMs)} ms again ${Math.round(usualAgainMs)} ms after a process was gone\n`,
    );
    expect(usualAgainMs).toBeLessThan(BACK_MS);
    expect(moves.p99).toBeLessThan(BACK_MS);
    expect(moves.leftAt.length).toBeLessThanOrEqual(CLIENTS * MOVES);
    // All clients may be on one edge after the others were restarted; twice the even rate leaves room for chance.
    expect(moves.busiestSecond).toBeLessThanOrEqual((2 * CLIENTS) / DRAIN_SECONDS);
  } finally {
    load.close();
  }
}, 240_000);
