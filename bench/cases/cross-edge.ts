import { jetstream, jetstreamManager, RetentionPolicy } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { connectAll } from "../raw-client.ts";
import type { Server } from "../servers.ts";

/** Percentiles of a latency, in milliseconds. */
export interface Latency {
  readonly p50: number;
  readonly p99: number;
}

/** A connection's messages to one room are stored one after the other, so one speaker alone would measure its own queue. */
const SPEAKERS = 20;

/** From sending on one edge to hearing on another, at a steady rate over all rooms, counted from when each message is sent. */
export async function crossEdge(from: Server, to: Server, perSecond: number, seconds: number): Promise<Latency> {
  const rooms = Array.from({ length: SPEAKERS }, (_, index) => `cross-${index}-${Date.now()}`);
  const speakers = await connectAll(
    from.port,
    rooms.map((room) => from.enter(room)),
  );
  const listeners = await connectAll(
    to.port,
    rooms.map((room) => to.enter(room)),
  );
  const latencies: number[] = [];
  for (const listener of listeners) {
    listener.onText = (text) => {
      const at = /at (\d+\.\d+)/.exec(text)?.[1];
      if (at !== undefined) latencies.push(performance.now() - Number(at));
    };
  }
  await steadily(perSecond, seconds, (at, id) => {
    speakers[id % SPEAKERS]?.send(from.say(`at ${at.toFixed(3)} ${"x".repeat(180)}`, id));
  });
  for (const client of [...speakers, ...listeners]) client.close();
  return percentiles(latencies);
}

/** The same through nothing but JetStream: publish to a stream that republishes, hear the copy. */
export async function republish(url: string, replicas: number, perSecond: number, seconds: number): Promise<Latency> {
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
    callback: (_, msg) => {
      latencies.push(performance.now() - Number(msg.string().slice(0, 20)));
    },
  });
  await subscriber.flush();
  const client = jetstream(publisher);
  const acks: Promise<unknown>[] = [];
  await steadily(perSecond, seconds, (at) => {
    acks.push(client.publish(`${name}.in.a`, at.toFixed(3).padStart(20) + "x".repeat(180)));
  });
  await Promise.all(acks);
  await manager.streams.delete(name);
  await Promise.all([publisher.close(), subscriber.close()]);
  return percentiles(latencies);
}

/**
 * Calls `send` with the time it is sent at, at a steady rate. A timer paces it: a loop that spins until the exact moment
 * would keep a core from the processes that are measured.
 */
async function steadily(perSecond: number, seconds: number, send: (at: number, id: number) => void): Promise<void> {
  const start = performance.now();
  const total = perSecond * seconds;
  for (let sent = 0; sent < total; ) {
    while (sent < total && start + (sent * 1_000) / perSecond <= performance.now()) send(performance.now(), ++sent);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await new Promise((resolve) => setTimeout(resolve, 1_000));
}

function percentiles(latencies: readonly number[]): Latency {
  const sorted = [...latencies].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}
