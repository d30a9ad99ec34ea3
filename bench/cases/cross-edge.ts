import { setTimeout as pause } from "node:timers/promises";
import { jetstream, jetstreamManager, RetentionPolicy } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { isMessage } from "../audience.ts";
import { enterAll } from "../entrance.ts";
import { type Latency, latencyOf, median, type Plan, paced } from "../measure.ts";
import { withNats } from "../nats.ts";
import type { Figure, Outcome, Row } from "../report.ts";
import { product, type Server } from "../servers.ts";
import { saidAt, timed } from "../timed.ts";

/** A connection's messages to one room are stored one after the other, so one speaker alone would measure its own queue. */
const SPEAKERS = 20;
const PER_SECOND = 1_000;
/** What is on its way at the end may still arrive. */
const SETTLE_MS = 1_000;

/** From sending on one edge to hearing on another, against JetStream and nothing else; on one server, and on three. */
export async function crossEdgeCase(plan: Plan): Promise<Outcome> {
  const rows: Row[] = [];
  const figures: Figure[] = [];
  for (const replicas of plan.quick ? ([1] as const) : ([1, 3] as const)) {
    const { ours, bare } = await measure(replicas, plan);
    const row = (what: string, runs: readonly Latency[]): Row => ({
      what,
      replicas,
      "p50 ms": median(runs.map((run) => run.p50)),
      "p99 ms": median(runs.map((run) => run.p99)),
    });
    rows.push(row("JetStream publish → RePublish", bare), row("edge → edge", ours));
    const ratio = median(ours.map((run) => run.p50)) / median(bare.map((run) => run.p50));
    figures.push({ name: `edge to edge, p50, replicas ${replicas}`, value: ratio, unit: "× JetStream alone" });
  }
  const columns = { what: "text", replicas: "count", "p50 ms": "decimal", "p99 ms": "decimal" } as const;
  return { tables: [{ title: `${PER_SECOND} messages/s over ${SPEAKERS} rooms`, columns, rows }], figures };
}

async function measure(replicas: 1 | 3, plan: Plan): Promise<{ ours: Latency[]; bare: Latency[] }> {
  return await withNats(replicas, async (nats) => {
    const env = { NATS_URL: nats.urls.join(",") };
    const room = await product({ env, args: ["--role=room"], pinned: false });
    const edge = { env: { ...env, ROOM_SERVICE_URL: room.rpc }, args: ["--role=edge"], pinned: false };
    const [one, two] = [await product(edge), await product(edge)];
    const ours: Latency[] = [];
    const bare: Latency[] = [];
    for (let turn = 0; turn < plan.rounds; turn++) {
      bare.push(await republish(nats.urls[0] ?? "", replicas, plan.seconds));
      ours.push(await crossEdge(one, two, plan.seconds));
    }
    for (const server of [one, two, room]) await server.stop();
    return { ours, bare };
  });
}

async function crossEdge(from: Server, to: Server, seconds: number): Promise<Latency> {
  const rooms = Array.from({ length: SPEAKERS }, (_, index) => `cross-${index}-${Date.now()}`);
  const enterThem = (server: Server) =>
    enterAll(
      server.port,
      rooms.map((room) => server.enter(room)),
    );
  const speakers = await enterThem(from);
  const listeners = await enterThem(to);
  const latencies: number[] = [];
  for (const listener of listeners) {
    listener.onFrame = (frame) => {
      if (isMessage(frame)) latencies.push(performance.now() - saidAt(frame.toString("latin1")));
    };
  }
  await paced({ perSecond: PER_SECOND, seconds, arrivals: "even" }, (_due, number) => {
    const turn = number % SPEAKERS;
    // Not when it was due: as the other side counts, whose client may not say when that was.
    speakers[turn]?.send(from.say(rooms[turn] ?? "", timed(performance.now()), number));
  });
  await pause(SETTLE_MS);
  for (const client of [...speakers, ...listeners]) client.close();
  return latencyOf(latencies);
}

/** The same through nothing but JetStream: publish to a stream that republishes, hear the copy. */
async function republish(url: string, replicas: number, seconds: number): Promise<Latency> {
  const [publisher, subscriber] = await Promise.all([connect({ servers: url }), connect({ servers: url })]);
  const manager = await jetstreamManager(publisher);
  const name = `BENCH_${Date.now()}`;
  await manager.streams.add({
    name,
    subjects: [`${name}.in.>`],
    num_replicas: replicas,
    retention: RetentionPolicy.Limits,
    republish: { src: `${name}.in.>`, dest: `${name}.out.>` },
  });
  const latencies: number[] = [];
  subscriber.subscribe(`${name}.out.>`, {
    callback: (_, message) => {
      latencies.push(performance.now() - saidAt(message.string()));
    },
  });
  await subscriber.flush();
  const client = jetstream(publisher);
  const acks: Promise<unknown>[] = [];
  await paced({ perSecond: PER_SECOND, seconds, arrivals: "even" }, () => {
    acks.push(client.publish(`${name}.in.a`, timed(performance.now())));
  });
  await Promise.all(acks);
  await pause(SETTLE_MS);
  await manager.streams.delete(name);
  await Promise.all([publisher.close(), subscriber.close()]);
  return latencyOf(latencies);
}
