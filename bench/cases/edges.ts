import { setTimeout as pause } from "node:timers/promises";
import { isMessage } from "../audience.ts";
import { enterAll } from "../entrance.ts";
import { calm, type Latency, latencyOf, median, type Plan, paced, startMeter } from "../measure.ts";
import { withNats } from "../nats.ts";
import { LOAD_CPU, type Outcome } from "../report.ts";
import { type Product, product, type Server } from "../servers.ts";
import { saidAt, timed } from "../timed.ts";

/** The more edges, the fewer members each of them has: the room stays as large. */
const MEMBERS = 240;
const PER_SECOND = 100;
const SETTLE_MS = 500;
const COLUMNS = {
  edges: "count",
  "µs per publish, all edges": "count",
  "× 1 edge": "decimal",
  "µs per delivery": "decimal",
  "p50 ms": "decimal",
  "p99 ms": "decimal",
  delivered: "percent",
  [LOAD_CPU]: "percent",
} as const;

interface Spread extends Latency {
  /** CPU of all edges together per message published, in microseconds. */
  readonly micros: number;
  readonly delivered: number;
  readonly loadCpu: number;
}

/** One room over more and more edges: what a message costs all of them together, and how late it is. */
export async function edgesCase(plan: Plan): Promise<Outcome> {
  return await withNats(1, async (nats) => {
    const env = { NATS_URL: nats.urls.join(",") };
    const room = await product({ env, args: ["--role=room"], pinned: false });
    const options = { env: { ...env, ROOM_SERVICE_URL: room.rpc }, args: ["--role=edge"], pinned: false };
    const edges: Product[] = [];
    const counts = plan.quick ? [1, 2] : [1, 2, 4];
    while (edges.length < (counts.at(-1) ?? 0)) edges.push(await product(options));
    const runs = new Map<number, Spread[]>(counts.map((count) => [count, []]));
    for (let round = 0; round < plan.rounds; round++) {
      for (const count of counts) {
        await calm([...edges, room]);
        runs.get(count)?.push(await spread(edges.slice(0, count), plan.seconds));
      }
    }
    for (const server of [...edges, room]) await server.stop();
    const of = (count: number, value: (one: Spread) => number): number => median((runs.get(count) ?? []).map(value));
    const micros = (count: number): number => of(count, (one) => one.micros);
    const rows = counts.map((count) => ({
      edges: count,
      "µs per publish, all edges": micros(count),
      "× 1 edge": micros(count) / micros(1),
      "µs per delivery": micros(count) / MEMBERS,
      "p50 ms": of(count, (one) => one.p50),
      "p99 ms": of(count, (one) => one.p99),
      delivered: of(count, (one) => one.delivered),
      [LOAD_CPU]: of(count, (one) => one.loadCpu),
    }));
    const most = counts.at(-1) ?? 0;
    const title = `One room of ${MEMBERS} members on 1 to ${most} edges, ${PER_SECOND} messages/s, one NATS server, two cores for all`;
    return {
      tables: [{ title, columns: COLUMNS, rows }],
      figures: [{ name: `CPU per publish, ${most} edges`, value: micros(most) / micros(1), unit: "× 1 edge" }],
    };
  });
}

async function spread(edges: readonly Server[], seconds: number): Promise<Spread> {
  const name = `spread-${edges.length}-${Date.now()}`;
  const share = MEMBERS / edges.length;
  const clients = (
    await Promise.all(edges.map((edge) => enterAll(edge.port, Array(share).fill(edge.enter(name)))))
  ).flat();
  const [speaker] = clients;
  const [first] = edges;
  if (!speaker || !first) throw new Error("there is no edge");
  const latencies: number[] = [];
  for (const client of clients) {
    client.onFrame = (frame) => {
      if (isMessage(frame)) latencies.push(performance.now() - saidAt(frame.toString("latin1")));
    };
  }
  await calm(edges);
  const stop = startMeter({ cpu: () => together(edges) });
  let published = 0;
  await paced({ perSecond: PER_SECOND, seconds, arrivals: "even" }, (due, number) => {
    published++;
    speaker.send(first.say(name, timed(due), number));
  });
  await pause(SETTLE_MS);
  const { user, system, loadCpu } = stop();
  for (const client of clients) client.close();
  return {
    ...latencyOf(latencies),
    micros: ((user + system) / published) * 1e6,
    delivered: latencies.length / (published * MEMBERS),
    loadCpu,
  };
}

function together(servers: readonly Server[]): ReturnType<Server["cpu"]> {
  const all = servers.map((server) => server.cpu());
  return {
    user: all.reduce((sum, { user }) => sum + user, 0),
    system: all.reduce((sum, { system }) => sum + system, 0),
  };
}
