import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { concurrently, enter } from "../entrance.ts";
import { HttpClient, request } from "../http-client.ts";
import { calm, median, type Plan } from "../measure.ts";
import type { RawClient } from "../raw-client.ts";
import type { Figure, Outcome, Row } from "../report.ts";
import { baseline, type Product, product } from "../servers.ts";
import { login, TOKEN_ENV } from "../tokens.ts";

const ROOM_SIZE = 10;
/** Said in each room while its members are away. */
const MISSED = ["one", "two", "three"];
const REPEATS = 3;
const SPEAKERS = 16;
const ATTEMPTS = 20;
/** At most so long before the next attempt. */
const RETRY_MS = 1_000;

/** Who a client is, and where it was. */
interface Guest {
  readonly uid: string;
  readonly room: string;
  readonly since: { readonly epoch: string; readonly seq: number };
  client: RawClient;
}

/** What became of a crowd that came back. */
interface Storm {
  readonly seconds: number;
  /** Clients who got exactly what they missed. */
  readonly exact: number;
}

type Interrupt = (server: Product, dataDir: string) => Promise<Product>;

/** Clients in rooms who lose their lines all at once and come back all at once, each with its position. */
export async function stormCase(plan: Plan): Promise<Outcome> {
  const count = plan.quick ? 100 : 5_000;
  const repeats = Math.min(REPEATS, plan.rounds);
  const cuts: Storm[] = [];
  const kills: Storm[] = [];
  const bare: number[] = [];
  for (let turn = 0; turn < repeats; turn++) {
    cuts.push(await storm(count, async (server) => server));
    kills.push(await storm(count, startAgain));
    bare.push(await upgradeAll(count));
  }
  const row = (what: string, storms: readonly Storm[]): Row => ({
    what,
    seconds: median(storms.map((one) => one.seconds)),
    "recovered exactly": Math.min(...storms.map((one) => one.exact)),
  });
  const rows = [
    row("sockets cut", cuts),
    row("process killed (-9), its restart included", kills),
    { what: "bare-ws: the upgrades alone", seconds: median(bare) },
  ];
  const columns = { what: "text", seconds: "decimal", "recovered exactly": "count" } as const;
  const title = `${count.toLocaleString("en")} clients in rooms of ${ROOM_SIZE} lose their sockets and come back with since`;
  const figures = [...figuresOf("sockets cut", cuts, count), ...figuresOf("process killed", kills, count)];
  return { tables: [{ title, columns, rows }], figures };
}

function figuresOf(how: string, storms: readonly Storm[], count: number): Figure[] {
  const name = `reconnect storm, ${count.toLocaleString("en")} clients, ${how}`;
  const exact = Math.min(...storms.map((one) => one.exact));
  return [
    { name, value: median(storms.map((one) => one.seconds)), unit: "s", atMost: 10 },
    { name: `${name}: recovered exactly`, value: exact, unit: "clients", atLeast: count },
  ];
}

/** Lets everybody in, cuts all lines, has something said in every room, and lets everybody come back. */
async function storm(count: number, interrupt: Interrupt): Promise<Storm> {
  const dataDir = await mkdtemp(join(tmpdir(), "baccarat-bench-"));
  let server = await product({ env: TOKEN_ENV, dataDir });
  try {
    const guests = await letIn(server, count);
    await calm([server]);
    const cut = performance.now();
    for (const { client } of guests) client.cut();
    server = await interrupt(server, dataDir);
    const downMs = performance.now() - cut;
    await sayAll(server, [...new Set(guests.map(({ room }) => room))]);
    const back = performance.now();
    const exact = await Promise.all(guests.map((guest) => comeBack(server, guest)));
    const seconds = (downMs + performance.now() - back) / 1_000;
    for (const { client } of guests) client.cut();
    return { seconds, exact: exact.filter(Boolean).length };
  } finally {
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function startAgain(server: Product, dataDir: string): Promise<Product> {
  await server.stop("SIGKILL");
  return await product({ env: TOKEN_ENV, dataDir });
}

async function letIn(server: Product, count: number): Promise<Guest[]> {
  const guests: Guest[] = [];
  const uids = Array.from({ length: count }, (_, index) => `u${index}`);
  await concurrently(64, uids, async (uid, index) => {
    const client = await enter(server.port, { path: "/ws?room_id=", says: [login(uid)] });
    const room = `storm-${Math.floor(index / ROOM_SIZE)}`;
    const { epoch, seq } = await joined(client, room, {});
    guests[index] = { uid, room, since: { epoch, seq }, client };
  });
  return guests;
}

/** True when the client got exactly what it missed. */
async function comeBack(server: Product, guest: Guest): Promise<boolean> {
  const { recovered, events } = await persistently(async () => {
    guest.client = await enter(server.port, { path: "/ws?room_id=", says: [login(guest.uid)] });
    return await joined(guest.client, guest.room, { since: guest.since });
  });
  const messages = events.map(({ payload }) => payload.message);
  return recovered && messages.join() === MISSED.join();
}

/** Tries again, as every client does, when the server is too busy to let it in. */
async function persistently<T>(act: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await act();
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      await pause(Math.random() * RETRY_MS);
    }
  }
}

interface Joined {
  readonly epoch: string;
  readonly seq: number;
  readonly recovered: boolean;
  readonly events: readonly { readonly payload: { readonly message: string } }[];
}

async function joined(client: RawClient, room: string, more: object): Promise<Joined> {
  const answer = JSON.parse(await client.ask("join_room", { room_id: room, ...more })) as {
    type: string;
    payload: Joined;
  };
  if (answer.type !== "room_joined") throw new Error(`a join was answered by ${JSON.stringify(answer)}`);
  return answer.payload;
}

async function sayAll(server: Product, rooms: readonly string[]): Promise<void> {
  const url = `${server.rpc}/baccarat.v1.RoomService/SendMessage`;
  const lanes = Array.from({ length: SPEAKERS }, (_, lane) => rooms.filter((__, index) => index % SPEAKERS === lane));
  await Promise.all(
    lanes.map(async (own) => {
      const http = new HttpClient(server.rpc);
      for (const message of MISSED) {
        for (const room_id of own) {
          await http.send(request(url, "application/json", Buffer.from(JSON.stringify({ room_id, message }))));
        }
      }
      http.close();
    }),
  );
}

async function upgradeAll(count: number): Promise<number> {
  const server = await baseline("bare-ws");
  const at = performance.now();
  const entrance = server.enter("");
  const arrive = () => persistently(() => enter(server.port, entrance));
  const clients = await Promise.all(Array.from({ length: count }, arrive));
  const seconds = (performance.now() - at) / 1_000;
  for (const client of clients) client.cut();
  await server.stop();
  return seconds;
}
