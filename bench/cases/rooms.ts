import { enterAll } from "../entrance.ts";
import { interleave, medianOf, type Plan } from "../measure.ts";
import type { RawClient } from "../raw-client.ts";
import { LOAD_CPU, type Outcome } from "../report.ts";
import { type Product, product } from "../servers.ts";
import { talk } from "../talker.ts";

const CLIENTS = 10;
const IN_FLIGHT = 160;
const COLUMNS = {
  rooms: "text",
  "acks/s": "count",
  "µs per publish": "decimal",
  "× 10 rooms": "decimal",
  "KB per room": "decimal",
  "joins/s": "count",
  [LOAD_CPU]: "percent",
} as const;

/** A process whose clients are in so many rooms, each in rooms of its own. */
interface Crowded {
  readonly server: Product;
  readonly talkers: readonly { readonly client: RawClient; readonly rooms: readonly string[] }[];
  readonly joinsPerSecond: number;
  readonly bytesPerRoom: number;
}

/** What a publish costs in one of few rooms, and in one of very many. */
export async function roomsCase(plan: Plan): Promise<Outcome> {
  const counts = plan.quick ? [10, 100] : [1, 10, 1_000, 100_000];
  const crowded: Crowded[] = [];
  for (const rooms of counts) crowded.push(await crowd(rooms));
  const byName = new Map(crowded.map((one) => [one.server.name, one]));
  const rounds = await interleave(
    crowded.map(({ server }) => server),
    plan.rounds,
    (server) => {
      const talkers = byName.get(server.name)?.talkers ?? [];
      return talk(server, talkers, { inFlight: IN_FLIGHT / talkers.length, seconds: plan.seconds });
    },
  );
  const micros = (name: string): number => medianOf(rounds, name, (acks) => acks.micros);
  const rows = crowded.map(({ server: { name }, joinsPerSecond, bytesPerRoom }) => ({
    rooms: name,
    "acks/s": medianOf(rounds, name, (acks) => acks.perSecond),
    "µs per publish": micros(name),
    "× 10 rooms": micros(name) / micros("10"),
    "KB per room": bytesPerRoom / 1_000,
    "joins/s": joinsPerSecond,
    [LOAD_CPU]: medianOf(rounds, name, (acks) => acks.loadCpu),
  }));
  for (const { server } of crowded) await server.stop();
  const title = `Publishes spread over rooms of one member, ${IN_FLIGHT} in flight`;
  const most = nameOf(counts.at(-1) ?? 0);
  return {
    tables: [{ title, columns: COLUMNS, rows }],
    figures: [
      { name: `cost per publish, ${most} rooms`, value: micros(most) / micros("10"), unit: "× 10 rooms", atMost: 1.3 },
    ],
  };
}

const nameOf = (rooms: number): string => rooms.toLocaleString("en");

async function crowd(rooms: number): Promise<Crowded> {
  const server = await product({ name: nameOf(rooms) });
  const clients = await enterAll(
    server.port,
    Array(Math.min(CLIENTS, rooms)).fill({ path: "/ws?room_id=", greetings: 1 }),
  );
  const talkers = clients.map((client, index) => ({
    client,
    rooms: Array.from({ length: rooms / clients.length }, (_, room) => `r-${index}-${room}`),
  }));
  const before = server.rss();
  const at = performance.now();
  await Promise.all(talkers.map(({ client, rooms: own }) => joinAll(client, own)));
  return {
    server,
    talkers,
    joinsPerSecond: rooms / ((performance.now() - at) / 1_000),
    bytesPerRoom: (server.rss() - before) / rooms,
  };
}

const JOINS_AT_ONCE = 100;

async function joinAll(client: RawClient, rooms: readonly string[]): Promise<void> {
  for (let start = 0; start < rooms.length; start += JOINS_AT_ONCE) {
    const batch = rooms.slice(start, start + JOINS_AT_ONCE);
    let left = batch.length;
    const joined = client.next((text) => text.startsWith('{"type":"room_joined"') && --left === 0);
    client.send(...batch.map((room) => JSON.stringify({ type: "join_room", payload: { room_id: room } })));
    await joined;
  }
}
