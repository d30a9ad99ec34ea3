import { enterAll } from "../entrance.ts";
import { median, type Plan } from "../measure.ts";
import { withNats } from "../nats.ts";
import type { RawClient } from "../raw-client.ts";
import type { Outcome } from "../report.ts";
import { type Product, product } from "../servers.ts";

const LANES = 64;
const NO_ROOM = { path: "/ws?room_id=", greetings: 1 };

/** How large the log is, and how often it is read. */
interface Size {
  readonly rooms: number;
  readonly perRoom: number;
  readonly coldReads: number;
  readonly hotReads: number;
  readonly resumed: number;
}

const FULL: Size = { rooms: 10_000, perRoom: 100, coldReads: 200, hotReads: 500, resumed: 1_000 };
const QUICK: Size = { rooms: 100, perRoom: 20, coldReads: 20, hotReads: 20, resumed: 50 };

/** Reading the past of rooms in a large log, on NATS. */
export async function historyCase(plan: Plan): Promise<Outcome> {
  const size = plan.quick ? QUICK : FULL;
  return await withNats(1, async (nats) => {
    const env = { NATS_URL: nats.urls.join(",") };
    const filling = await product({ env, pinned: false });
    await fill(filling, size);
    await filling.stop();
    const server = await product({ env, pinned: false });
    const { cold, hot, epoch } = await read(server, size);
    const resumeMs = await resumeAll(server, size, epoch);
    await server.stop();
    const rows = [
      { what: "last 50 of a random room nobody is in, p50", ms: median(cold) },
      { what: "last 50 of a room the edge hosts, p50", ms: median(hot) },
      { what: `${size.resumed.toLocaleString("en")} clients resume, each in its own room`, ms: resumeMs },
    ];
    const total = (size.rooms * size.perRoom).toLocaleString("en");
    const title = `${total} messages in ${size.rooms.toLocaleString("en")} rooms, one process on NATS`;
    const figures = [
      { name: "last 50 of a cold room, p50", value: median(cold), unit: "ms" },
      { name: "last 50 of a hot room, p50", value: median(hot), unit: "ms" },
    ];
    return { tables: [{ title, columns: { what: "text", ms: "decimal" }, rows }], figures };
  });
}

async function fill(server: Product, { rooms, perRoom }: Size): Promise<void> {
  const clients = await enterAll(server.port, Array(Math.min(LANES, rooms)).fill(NO_ROOM));
  await Promise.all(
    clients.map(async (client, lane) => {
      for (let room = lane; room < rooms; room += clients.length) {
        await client.ask("join_room", { room_id: `h-${room}` });
        await sayMany(client, `h-${room}`, perRoom);
        await client.ask("leave_room", { room_id: `h-${room}` });
      }
      client.close();
    }),
  );
}

async function sayMany(client: RawClient, room_id: string, count: number): Promise<void> {
  let missing = count;
  const acknowledged = client.next((text) => text.startsWith('{"type":"ack"') && --missing === 0);
  const message = "x".repeat(100);
  const say = (_: unknown, index: number): string =>
    JSON.stringify({ type: "send_message", id: `${index}`, payload: { room_id, message: `${message}${index}` } });
  client.send(...Array.from({ length: count }, say));
  await acknowledged;
}

async function read(
  server: Product,
  { rooms, coldReads, hotReads }: Size,
): Promise<{ cold: number[]; hot: number[]; epoch: string }> {
  const [client] = await enterAll(server.port, [NO_ROOM]);
  if (!client) throw new Error("the client could not connect");
  const cold: number[] = [];
  for (let count = 0; count < coldReads; count++) {
    const room_id = `h-${Math.floor(Math.random() * rooms)}`;
    const at = performance.now();
    await client.ask("join_room", { room_id, history: 50 });
    cold.push(performance.now() - at);
    await client.ask("leave_room", { room_id });
  }
  const joined = await client.ask("join_room", { room_id: "h-0", history: 50 });
  const hot: number[] = [];
  for (let count = 0; count < hotReads; count++) {
    const at = performance.now();
    await client.ask("get_history", { room_id: "h-0", limit: 50 });
    hot.push(performance.now() - at);
  }
  client.close();
  return { cold, hot, epoch: /"epoch":"([^"]+)"/.exec(joined)?.[1] ?? "" };
}

/** Milliseconds until everybody, each in a room of its own, has all that was ever said in it. */
async function resumeAll(server: Product, { rooms, resumed }: Size, epoch: string): Promise<number> {
  const clients = await enterAll(server.port, Array(resumed).fill(NO_ROOM));
  const at = performance.now();
  const answers = await Promise.all(
    clients.map((client, index) =>
      client.ask("join_room", { room_id: `h-${(index * 7) % rooms}`, history: 10, since: { epoch, seq: 0 } }),
    ),
  );
  const elapsed = performance.now() - at;
  for (const client of clients) client.close();
  if (!answers.every((answer) => answer.includes('"room_joined"'))) throw new Error("a client could not resume");
  return elapsed;
}
