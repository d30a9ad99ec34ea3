import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { enterAll } from "../entrance.ts";
import type { IdlersOrder } from "../idler.ts";
import { median, type Plan } from "../measure.ts";
import { withNats } from "../nats.ts";
import type { Outcome } from "../report.ts";
import { baseline, product, type Server } from "../servers.ts";

const ROOM_SIZE = 10;
/** So that what everybody pays for the first connection is not counted. */
const WARM_UP = 100;
const WARM_UP_MS = 2_000;
/** When memory is looked at, in milliseconds after the last one entered; heartbeats go on. */
const SOON_MS = 10_000;
/** V8 looks for memory to give back 100 s after its last collection of the old heap, of every server alike. */
const SETTLED_MS = 130_000;

const EDGE = "product, edge";
const ALL = "product, all in one process";
const BARE = "bare-ws";
const COLUMNS = {
  server: "text",
  "bytes each, 10 s later": "count",
  "10 s later, × bare-ws": "decimal",
  "bytes each, 2 minutes later": "count",
  "2 minutes later, × bare-ws": "decimal",
} as const;

/** A server whose clients say nothing. */
interface Crowd {
  readonly server: Server;
  /** Memory per connection, soon after the last one entered. */
  readonly soon: Promise<number>;
  /** As of now. */
  bytes(): number;
  stop(): Promise<void>;
}

/** Memory of a server per connection that has joined a room and says nothing, against connections and nothing else. */
export async function idleCase(plan: Plan): Promise<Outcome> {
  return await withNats(1, async (nats) => {
    const env = { NATS_URL: nats.urls.join(",") };
    const room = await product({ env, args: ["--role=room"], pinned: false });
    const edgeEnv = { ...env, ROOM_SERVICE_URL: room.rpc };
    const outcome = await compare(plan, [
      () => product({ name: EDGE, env: edgeEnv, args: ["--role=edge"] }),
      () => product({ name: ALL }),
      () => baseline(BARE),
    ]);
    await room.stop();
    return outcome;
  });
}

/** All wait at the same time, each in a process of its own: memory once grown is not given back to the next one. */
async function compare(plan: Plan, starts: readonly (() => Promise<Server>)[]): Promise<Outcome> {
  const connections = plan.quick ? 200 : 10_000;
  const crowds: Crowd[] = [];
  for (let round = 0; round < plan.rounds; round++) {
    for (const start of starts) crowds.push(await crowd(await start(), `idle-${round}`, connections, plan.quick));
  }
  const soon = new Map<Crowd, number>();
  for (const one of crowds) soon.set(one, await one.soon);
  await pause(plan.quick ? 0 : SETTLED_MS);
  const settled = new Map(crowds.map((one) => [one, one.bytes()]));
  for (const { stop } of crowds) await stop();
  const of = (name: string, bytes: ReadonlyMap<Crowd, number>): number =>
    median(crowds.filter(({ server }) => server.name === name).map((one) => bytes.get(one) ?? Number.NaN));
  const ratio = (name: string, bytes: ReadonlyMap<Crowd, number>): number => of(name, bytes) / of(BARE, bytes);
  const rows = [EDGE, ALL, BARE].map((server) => ({
    server,
    "bytes each, 10 s later": of(server, soon),
    "10 s later, × bare-ws": ratio(server, soon),
    "bytes each, 2 minutes later": of(server, settled),
    "2 minutes later, × bare-ws": ratio(server, settled),
  }));
  const most = connections.toLocaleString("en");
  const title = `Resident memory per idle connection, ${most} of them, in rooms of ${ROOM_SIZE}`;
  const figure = (when: string, value: number) => ({
    name: `idle memory per joined connection, ${most}, ${when}`,
    value,
    unit: "× bare ws",
    atMost: 1.5,
  });
  return {
    tables: [{ title, columns: COLUMNS, rows }],
    figures: [figure("10 s later", ratio(EDGE, soon)), figure("2 minutes later", ratio(EDGE, settled))],
  };
}

async function crowd(server: Server, name: string, connections: number, quick: boolean): Promise<Crowd> {
  const entrances = Array.from({ length: connections + WARM_UP }, (_, index) =>
    server.enter(`${name}-${Math.floor(index / ROOM_SIZE)}`),
  );
  const first = await enterAll(server.port, entrances.slice(0, WARM_UP));
  await pause(quick ? 0 : WARM_UP_MS);
  const before = server.rss();
  const idlers = fork(join(import.meta.dirname, "../idler.ts"));
  const order: IdlersOrder = { port: server.port, entrances: entrances.slice(WARM_UP) };
  idlers.send(order);
  await once(idlers, "message");
  const bytes = (): number => (server.rss() - before) / connections;
  return {
    server,
    soon: pause(quick ? 0 : SOON_MS).then(bytes),
    bytes,
    stop: async () => {
      for (const client of first) client.cut();
      idlers.disconnect();
      await server.stop();
    },
  };
}
