import { setTimeout as pause } from "node:timers/promises";
import { Audience, isMessage } from "../audience.ts";
import { interleave, type Latency, latencyOf, medianOf, type Plan, paced, startMeter } from "../measure.ts";
import { LOAD_CPU, type Outcome, type Row } from "../report.ts";
import { baseline, product, type Server } from "../servers.ts";
import { saidAt, timed } from "../timed.ts";
import { fanOuts } from "./fan-out.ts";

/** How much of what the naive loop can do at most. */
const SHARE = 0.4;
const ARRIVALS = ["even", "random"] as const;
/** What is on its way at the end may still arrive. */
const SETTLE_MS = 500;

interface Run extends Latency {
  readonly serverCpu: number;
  readonly loadCpu: number;
}

/** Messages that come whether or not the ones before have been delivered, counted from when each was due. */
export async function openLoopCase(plan: Plan): Promise<Outcome> {
  const members = plan.quick ? 100 : 1_000;
  const servers = await Promise.all([product(), baseline("naive-ws")]);
  const naive = servers.slice(1);
  const burst = [{ inFlight: 2, speakers: 1 }];
  const saturation = await interleave(naive, plan.rounds, (server) => fanOuts(server, members, burst, plan.seconds));
  const most = medianOf(saturation, "naive-ws", ([one]) => one?.deliveriesPerSecond ?? Number.NaN);
  const perSecond = (SHARE * most) / members;
  const rows: Row[] = [];
  const figures = [];
  for (const arrivals of ARRIVALS) {
    const rounds = await interleave(servers, plan.rounds, (server) =>
      openLoop(server, members, { perSecond, seconds: plan.seconds, arrivals }),
    );
    for (const { name } of servers) {
      rows.push({
        arrivals,
        server: name,
        "messages/s": perSecond,
        "p50 ms": medianOf(rounds, name, (run) => run.p50),
        "p99 ms": medianOf(rounds, name, (run) => run.p99),
        "server's CPU": medianOf(rounds, name, (run) => run.serverCpu),
        [LOAD_CPU]: medianOf(rounds, name, (run) => run.loadCpu),
      });
    }
    const p99 = (name: string): number => medianOf(rounds, name, (run) => run.p99);
    figures.push({
      name: `p99 at 40 % of naive's most, ${members.toLocaleString("en")} members, ${arrivals} arrivals`,
      value: p99("product") / p99("naive-ws"),
      unit: "× naive-ws",
      atMost: 1,
    });
  }
  for (const server of servers) await server.stop();
  const columns = {
    arrivals: "text",
    server: "text",
    "messages/s": "decimal",
    "p50 ms": "decimal",
    "p99 ms": "decimal",
    "server's CPU": "percent",
    [LOAD_CPU]: "percent",
  } as const;
  const title = `Latency at ${SHARE * 100} % of what naive-ws can do at most, ${members.toLocaleString("en")} members`;
  return { tables: [{ title, columns, rows }], figures };
}

async function openLoop(server: Server, members: number, pace: Parameters<typeof paced>[0]): Promise<Run> {
  const room = `open-${Date.now()}`;
  using audience = await Audience.enter(server, room, members);
  const latencies: number[] = [];
  for (const client of audience.sampled) {
    client.onFrame = (frame) => {
      if (isMessage(frame)) latencies.push(performance.now() - saidAt(frame.toString("latin1")));
    };
  }
  const stop = startMeter(server);
  await paced(pace, (due, number) => {
    for (const speaker of audience.speakers) speaker.send(server.say(room, timed(due), number));
  });
  const { user, system, seconds, loadCpu } = stop();
  await pause(SETTLE_MS);
  return { ...latencyOf(latencies), serverCpu: (user + system) / seconds, loadCpu };
}
