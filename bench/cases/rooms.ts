import { enterAll } from "../entrance.ts";
import { interleave, medianOf, type Plan, type Rounds } from "../measure.ts";
import type { RawClient } from "../raw-client.ts";
import { LOAD_CPU, type Outcome } from "../report.ts";
import { type Product, product, type Server } from "../servers.ts";
import { type Acks, type RoomOrder, talk } from "../talker.ts";

const CLIENTS = 10;
const IN_FLIGHT = 160;
const WARM_UP_TURNS = 10;
const COLUMNS = {
  rooms: "text",
  taken: "text",
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
  const most = nameOf(counts.at(-1) ?? 0);
  const say = (server: Server, seconds: number, order: RoomOrder): Promise<Acks> => {
    const talkers = byName.get(server.name)?.talkers ?? [];
    return talk(server, talkers, { inFlight: IN_FLIGHT / talkers.length, seconds, order });
  };
  const measure = (order: RoomOrder, among: readonly Crowded[]): Promise<Rounds<Acks>> =>
    interleave(
      among.map(({ server }) => server),
      plan.rounds,
      (server) => say(server, plan.seconds, order),
    );
  const compared = crowded.filter(({ server: { name } }) => name === "10" || name === most);
  // What an edge keeps of its rooms' events has its memory by then: the first time costs more, and comes once.
  for (const { server } of crowded) await say(server, WARM_UP_TURNS * plan.seconds, "in turn");
  const runs = [
    { order: "in turn", among: crowded, rounds: await measure("in turn", crowded) },
    { order: "at random", among: compared, rounds: await measure("at random", compared) },
  ] as const;
  const tables = runs.map(({ order, among, rounds }) => {
    const micros = (name: string): number => medianOf(rounds, name, (acks) => acks.micros);
    const rows = among.map(({ server: { name }, joinsPerSecond, bytesPerRoom }) => ({
      rooms: name,
      taken: order,
      "acks/s": medianOf(rounds, name, (acks) => acks.perSecond),
      "µs per publish": micros(name),
      "× 10 rooms": micros(name) / micros("10"),
      "KB per room": bytesPerRoom / 1_000,
      "joins/s": joinsPerSecond,
      [LOAD_CPU]: medianOf(rounds, name, (acks) => acks.loadCpu),
    }));
    const figure = {
      name: `cost per publish, ${most} rooms, ${order}`,
      value: micros(most) / micros("10"),
      unit: "× 10 rooms",
      atMost: 1.3,
    };
    return { rows, figure };
  });
  for (const { server } of crowded) await server.stop();
  const title = `Publishes spread over rooms of one member, ${IN_FLIGHT} in flight`;
  return {
    tables: [{ title, columns: COLUMNS, rows: tables.flatMap(({ rows }) => rows) }],
    figures: tables.map(({ figure }) => figure),
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
