import { execFileSync } from "node:child_process";
import { cpus } from "node:os";
import { getNatsServers } from "../scripts/get-nats-server.ts";
import { NatsServers } from "../test/support/nats-server.ts";
import { crossEdge, republish } from "./cases/cross-edge.ts";
import { fanOut } from "./cases/fan-out.ts";
import { fill, reads } from "./cases/history.ts";
import { idle, ingest, joins } from "./cases/ingest.ts";
import { baseline, product, type Server } from "./servers.ts";

/**
 * `npm run bench [case …]`: each figure as a ratio to a baseline measured in the same run, the two taking turns, since a
 * machine's speed drifts. Servers run on core 0, the load on core 1. BENCH_ROUNDS (5) and BENCH_SECONDS (3) change how long.
 */
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 3);
const wanted = process.argv.slice(2);

const CASES: Readonly<Record<string, () => Promise<void>>> = {
  "fan-out": fanOutCase,
  ingest: ingestCase,
  joins: joinsCase,
  idle: idleCase,
  "cross-edge": crossEdgeCase,
  history: historyCase,
};

execFileSync("taskset", ["-cp", "1", `${process.pid}`]);
print(
  `${new Date().toISOString().slice(0, 10)}, ${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}, ${ROUNDS} rounds of ${SECONDS} s\n`,
);
for (const [name, run] of Object.entries(CASES)) if (wanted.length === 0 || wanted.includes(name)) await run();

async function fanOutCase(): Promise<void> {
  const servers = [
    await product(),
    await baseline("naive-ws"),
    await baseline("raw-loop"),
    await baseline("socket-io"),
  ];
  print(
    "| members | in flight | server | deliveries/s | × naive | µs of CPU each | load's CPU |\n|---|---|---|---|---|---|---|",
  );
  for (const members of [100, 1_000, 5_000]) {
    for (const inFlight of [1, 2, 16]) {
      const rows = await rounds(servers, (server) => fanOut(server, members, inFlight, SECONDS));
      const naive = median(rows.get("naive-ws") ?? [], (row) => row.deliveriesPerSecond);
      for (const [name, results] of rows) {
        const rate = median(results, (row) => row.deliveriesPerSecond);
        const cpu = median(results, (row) => row.cpuMicros);
        const load = median(results, (row) => row.loadCpu);
        print(
          `| ${members} | ${inFlight} | ${name} | ${round(rate)} | ${(rate / naive).toFixed(2)} | ${cpu.toFixed(2)} | ${(load * 100).toFixed(0)} % |`,
        );
      }
    }
  }
  await stopAll(servers);
}

async function ingestCase(): Promise<void> {
  const servers = [await product(), await baseline("naive-ws")];
  const rows = await rounds(servers, (server) => ingest(server, 64, 16, SECONDS));
  print("\n| acknowledged publishes, 64 connections × 16 | per second |\n|---|---|");
  for (const [name, results] of rows) print(`| ${name} | ${round(median(results, (rate) => rate))} |`);
  await stopAll(servers);
}

async function joinsCase(): Promise<void> {
  const servers = [await product(), await baseline("naive-ws")];
  const rows = await rounds(servers, (server) => joins(server, 64, SECONDS));
  const naive = median(rows.get("naive-ws") ?? [], (rate) => rate);
  print("\n| upgrade + join | per second | × naive |\n|---|---|---|");
  for (const [name, results] of rows) {
    const rate = median(results, (one) => one);
    print(`| ${name} | ${round(rate)} | ${(rate / naive).toFixed(2)} |`);
  }
  await stopAll(servers);
}

async function idleCase(): Promise<void> {
  print("\n| memory per idle connection, 8,000 connections | bytes |\n|---|---|");
  for (const start of [() => product(), () => baseline("naive-ws")]) {
    const server = await start();
    print(`| ${server.name} | ${round(await idle(server, 8_000))} |`);
    await server.stop();
  }
}

async function crossEdgeCase(): Promise<void> {
  for (const replicas of [1, 3] as const) await withNats(replicas, (nats) => crossEdges(nats, replicas));
}

async function crossEdges(nats: NatsServers, replicas: 1 | 3): Promise<void> {
  const env = { NATS_URL: nats.urls.join(",") };
  const room = await product(env, ["--role=room"]);
  const edgeEnv = { ...env, ROOM_SERVICE_URL: room.rpc };
  const [one, two] = [await product(edgeEnv, ["--role=edge"]), await product(edgeEnv, ["--role=edge"])];
  const ours = [];
  const bare = [];
  for (let turn = 0; turn < ROUNDS; turn++) {
    bare.push(await republish(nats.urls[0] ?? "", replicas, 1_000, SECONDS));
    ours.push(await crossEdge(one, two, 1_000, SECONDS));
  }
  const p50 = median(ours, (row) => row.p50);
  const base = median(bare, (row) => row.p50);
  print(`| 1,000 messages/s, replicas ${replicas} | p50 ms | p99 ms |\n|---|---|---|`);
  print(`| JetStream publish → RePublish | ${base.toFixed(2)} | ${median(bare, (row) => row.p99).toFixed(2)} |`);
  print(`| edge → edge | ${p50.toFixed(2)} | ${median(ours, (row) => row.p99).toFixed(2)} |`);
  print(`| ratio | ${(p50 / base).toFixed(2)} | |`);
  await stopAll([one, two, room]);
}

async function historyCase(): Promise<void> {
  const [rooms, perRoom] = [10_000, 100];
  await withNats(1, async (nats) => {
    const env = { NATS_URL: nats.urls.join(",") };
    const filling = await product(env);
    await fill(filling, rooms, perRoom);
    await filling.stop();
    const server = await product(env);
    const { coldP50, hotP50, resumeAllMs } = await reads(server, rooms);
    print(`\n| ${round(rooms * perRoom)} messages in ${round(rooms)} rooms | ms |\n|---|---|`);
    print(`| last 50 of a random room, cold, p50 | ${coldP50.toFixed(2)} |`);
    print(`| last 50 of a hosted room, hot, p50 | ${hotP50.toFixed(2)} |`);
    print(`| 1,000 clients resume, each in its own room | ${round(resumeAllMs)} |`);
    await server.stop();
  });
}

async function withNats(size: 1 | 3, act: (nats: NatsServers) => Promise<void>): Promise<void> {
  const server = (await getNatsServers(process.env)).at(-1);
  if (!server) throw new Error("no nats-server");
  print(`\nnats-server ${server.version}, ${size} of them\n`);
  const nats = await NatsServers.start({ path: server.path, size });
  try {
    await act(nats);
  } finally {
    await nats.stop();
  }
}

/** Every server in turn, round by round. */
async function rounds<T>(
  servers: readonly Server[],
  measure: (server: Server) => Promise<T>,
): Promise<Map<string, T[]>> {
  const rows = new Map<string, T[]>(servers.map((server) => [server.name, []]));
  for (let turn = 0; turn < ROUNDS; turn++) {
    for (const server of servers) rows.get(server.name)?.push(await measure(server));
  }
  return rows;
}

function median<T>(rows: readonly T[], value: (row: T) => number): number {
  const sorted = rows.map(value).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

async function stopAll(servers: readonly Server[]): Promise<void> {
  for (const server of servers) await server.stop();
}

function round(value: number): string {
  return Math.round(value).toLocaleString("en");
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
