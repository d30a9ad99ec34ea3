import { setTimeout as pause } from "node:timers/promises";
import { enterAll } from "../entrance.ts";
import { median, type Plan } from "../measure.ts";
import { withNats } from "../nats.ts";
import type { Outcome } from "../report.ts";
import { baseline, product, type Server } from "../servers.ts";

const ROOM_SIZE = 10;
/** So that what everybody pays for the first connection is not counted. */
const WARM_UP = 100;
/** How long the server has nothing to do before its memory is looked at: heartbeats go on. */
const SETTLE_MS = 10_000;
const REPEATS = 3;

const EDGE = "product, edge";
const ALL = "product, all in one process";

/** Memory of a server per connection that has joined a room and says nothing, against connections and nothing else. */
export async function idleCase(plan: Plan): Promise<Outcome> {
  return await withNats(1, async (nats) => {
    const env = { NATS_URL: nats.urls.join(",") };
    const room = await product({ env, args: ["--role=room"], pinned: false });
    const edgeEnv = { ...env, ROOM_SERVICE_URL: room.rpc };
    const outcome = await compare(plan, [
      () => product({ name: EDGE, env: edgeEnv, args: ["--role=edge"] }),
      () => product({ name: ALL }),
      () => baseline("bare-ws"),
    ]);
    await room.stop();
    return outcome;
  });
}

async function compare(plan: Plan, starts: readonly (() => Promise<Server>)[]): Promise<Outcome> {
  const connections = plan.quick ? 200 : 10_000;
  const settleMs = plan.quick ? 500 : SETTLE_MS;
  const bytes = new Map<string, number[]>([EDGE, ALL, "bare-ws"].map((name) => [name, []]));
  for (let turn = 0; turn < Math.min(REPEATS, plan.rounds); turn++) {
    // A new process each time: memory once grown is not given back.
    for (const start of starts) {
      const server = await start();
      bytes.get(server.name)?.push(await idle(server, connections, settleMs));
      await server.stop();
    }
  }
  const of = (name: string): number => median(bytes.get(name) ?? []);
  const rows = [...bytes.keys()].map((server) => ({
    server,
    "bytes each": of(server),
    "× bare-ws": of(server) / of("bare-ws"),
  }));
  const columns = { server: "text", "bytes each": "count", "× bare-ws": "decimal" } as const;
  const title = `Resident memory per idle connection, ${connections.toLocaleString("en")} of them, in rooms of ${ROOM_SIZE}`;
  return {
    tables: [{ title, columns, rows }],
    figures: [
      {
        name: `idle memory per joined connection, ${connections.toLocaleString("en")}`,
        value: of(EDGE) / of("bare-ws"),
        unit: "× bare ws",
        atMost: 1.5,
      },
    ],
  };
}

async function idle(server: Server, connections: number, settleMs: number): Promise<number> {
  const entrances = Array.from({ length: connections + WARM_UP }, (_, index) =>
    server.enter(`idle-${Math.floor(index / ROOM_SIZE)}`),
  );
  const first = await enterAll(server.port, entrances.slice(0, WARM_UP));
  await pause(settleMs / 5);
  const before = server.rss();
  const rest = await enterAll(server.port, entrances.slice(WARM_UP));
  await pause(settleMs);
  const bytes = (server.rss() - before) / connections;
  for (const client of [...first, ...rest]) client.cut();
  return bytes;
}
