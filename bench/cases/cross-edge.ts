import { jetstream, jetstreamManager, RetentionPolicy } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { connectAll } from "../raw-client.ts";
import type { Server } from "../servers.ts";

/** Percentiles of a latency, in milliseconds. */
export interface Latency {
  readonly p50: number;
  readonly p99: number;
}

/** From sending on one edge to hearing on another, at a steady rate, counted from when each message was due. */
export async function crossEdge(from: Server, to: Server, perSecond: number, seconds: number): Promise<Latency> {
  const room = `cross-${Date.now()}`;
  const [speaker] = await connectAll(from.port, [from.enter(room)]);
  const [listener] = await connectAll(to.port, [to.enter(room)]);
  if (!speaker || !listener) throw new Error("both clients are needed");
  const latencies: number[] = [];
  listener.onText = (text) => {
    const due = /due (\d+\.\d+)/.exec(text)?.[1];
    if (due !== undefined) latencies.push(performance.now() - Number(due));
  };
  await steadily(perSecond, seconds, (due, id) =>
    speaker.send(from.say(`due ${due.toFixed(3)} ${"x".repeat(180)}`, id)),
  );
  speaker.close();
  listener.close();
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
  await steadily(perSecond, seconds, (due) => {
    acks.push(client.publish(`${name}.in.a`, due.toFixed(3).padStart(20) + "x".repeat(180)));
  });
  await Promise.all(acks);
  await manager.streams.delete(name);
  await Promise.all([publisher.close(), subscriber.close()]);
  return percentiles(latencies);
}

/** Calls `send` with the time each message is due; late ones keep their due time, so that a stall is not hidden. */
async function steadily(perSecond: number, seconds: number, send: (due: number, id: number) => void): Promise<void> {
  const start = performance.now();
  const total = perSecond * seconds;
  for (let sent = 0; sent < total; ) {
    while (sent < total && start + (sent * 1_000) / perSecond <= performance.now()) {
      send(start + (sent * 1_000) / perSecond, sent + 1);
      sent++;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await new Promise((resolve) => setTimeout(resolve, 1_000));
}

function percentiles(latencies: readonly number[]): Latency {
  const sorted = [...latencies].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}
