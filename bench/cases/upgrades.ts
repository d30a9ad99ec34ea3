import { randomUUID } from "node:crypto";
import { concurrently, enter } from "../entrance.ts";
import { interleave, medianOf, type Plan, startMeter } from "../measure.ts";
import { withNats } from "../nats.ts";
import type { RawClient } from "../raw-client.ts";
import { LOAD_CPU, type Outcome } from "../report.ts";
import { baseline, product, type Server } from "../servers.ts";
import { asUser, TOKEN_ENV } from "../tokens.ts";

const CONCURRENT = 64;
const ROOM_SIZE = 10;
/** Connections stay until the turn is over, and files are limited. */
const MOST = 8_000;

interface Upgrades {
  readonly perSecond: number;
  readonly micros: number;
  readonly loadCpu: number;
}

/** Users who connect, log in with a token and join a room of ten, against connections and nothing else. */
export async function upgradesCase(plan: Plan): Promise<Outcome> {
  return await withNats(1, (nats) => compare(plan, { ...TOKEN_ENV, NATS_URL: nats.urls.join(",") }));
}

/** `onNats` is the environment of a cluster's processes. Of these, only the edge is measured. */
async function compare(plan: Plan, onNats: Readonly<Record<string, string>>): Promise<Outcome> {
  const enterAsUser = (room: string) => asUser(randomUUID(), room);
  const room = await product({ env: onNats, args: ["--role=room"], pinned: false });
  const edgeEnv = { ...onNats, ROOM_SERVICE_URL: room.rpc };
  const servers = [
    await product({ env: TOKEN_ENV, enter: enterAsUser }),
    await product({ name: "product, edge", env: edgeEnv, args: ["--role=edge"], enter: enterAsUser }),
    await baseline("bare-ws"),
  ];
  const rounds = await interleave(servers, plan.rounds, (server, round) => upgrades(server, round, plan.seconds));
  const rate = (name: string): number => medianOf(rounds, name, (one) => one.perSecond);
  const rows = servers.map(({ name }) => ({
    server: name,
    "per second": rate(name),
    "× bare-ws": rate(name) / rate("bare-ws"),
    "µs each": medianOf(rounds, name, (one) => one.micros),
    [LOAD_CPU]: medianOf(rounds, name, (one) => one.loadCpu),
  }));
  for (const server of [...servers, room]) await server.stop();
  const columns = {
    server: "text",
    "per second": "count",
    "× bare-ws": "decimal",
    "µs each": "decimal",
    [LOAD_CPU]: "percent",
  } as const;
  const title = `Upgrade, login and join (rooms of ${ROOM_SIZE}), ${CONCURRENT} at a time, against bare upgrades`;
  return {
    tables: [{ title, columns, rows }],
    figures: [
      {
        name: "upgrade, login and join",
        value: rate("product") / rate("bare-ws"),
        unit: "× bare ws upgrades",
        atLeast: 0.6,
      },
    ],
  };
}

async function upgrades(server: Server, round: number, seconds: number): Promise<Upgrades> {
  const clients: RawClient[] = [];
  const entrances = Array.from({ length: MOST }, (_, index) =>
    server.enter(`up-${round}-${Math.floor(index / ROOM_SIZE)}`),
  );
  const stop = startMeter(server);
  const end = performance.now() + seconds * 1_000;
  await concurrently(CONCURRENT, entrances, async (entrance) => {
    if (performance.now() < end) clients.push(await enter(server.port, entrance));
  });
  const cost = stop();
  for (const client of clients) client.close();
  return {
    perSecond: clients.length / cost.seconds,
    micros: ((cost.user + cost.system) / clients.length) * 1e6,
    loadCpu: cost.loadCpu,
  };
}
