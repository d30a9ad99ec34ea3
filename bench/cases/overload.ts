import { setTimeout as pause } from "node:timers/promises";
import { enterAll } from "../entrance.ts";
import { HttpClient, request } from "../http-client.ts";
import { interleave, medianOf, type Plan, paced, startMeter } from "../measure.ts";
import { LOAD_CPU, type Outcome } from "../report.ts";
import { type Product, product, type Server } from "../servers.ts";

/** A room whose prices change faster than anybody can look. */
const TICKS_PER_SECOND = 200;
const KEYS = ["red", "black"];
const INTERVAL_MS = 250;
const TYPE = "ticker.price";
const SETTLE_MS = 1_000;
const POLICIES = { queue: "OVERLOAD_POLICY_QUEUE", "latest only": "OVERLOAD_POLICY_LATEST_ONLY" } as const;
const COLUMNS = {
  policy: "text",
  "frames per member and second": "decimal",
  "µs per event": "count",
  "latest value arrived": "percent",
  [LOAD_CPU]: "percent",
} as const;

interface Ticker {
  readonly framesPerSecond: number;
  /** CPU of the server per event, in microseconds. */
  readonly micros: number;
  /** Share of the members who ended with the latest value of every key. */
  readonly upToDate: number;
  readonly loadCpu: number;
}

/** The same ticker in a room that queues everything, and in one that shows only the latest of each key. */
export async function overloadCase(plan: Plan): Promise<Outcome> {
  const members = plan.quick ? 20 : 500;
  const servers: Product[] = [];
  for (const name of Object.keys(POLICIES)) servers.push(await product({ name }));
  const byName = new Map(servers.map((server) => [server.name, server]));
  for (const [name, policy] of Object.entries(POLICIES)) await setPolicy(byName.get(name), policy);
  const rounds = await interleave<Ticker>(servers, plan.rounds, (server) => {
    const { rpc = "" } = byName.get(server.name) ?? {};
    return tick(server, rpc, members, plan.seconds);
  });
  for (const server of servers) await server.stop();
  const of = (name: string, value: (one: Ticker) => number): number => medianOf(rounds, name, value);
  const rows = Object.keys(POLICIES).map((policy) => ({
    policy,
    "frames per member and second": of(policy, (one) => one.framesPerSecond),
    "µs per event": of(policy, (one) => one.micros),
    "latest value arrived": of(policy, (one) => one.upToDate),
    [LOAD_CPU]: of(policy, (one) => one.loadCpu),
  }));
  const micros = (name: string): number => of(name, (one) => one.micros);
  const title = `${TICKS_PER_SECOND} events/s of ${KEYS.length} snapshot keys to ${members} members, interval ${INTERVAL_MS} ms`;
  return {
    tables: [{ title, columns: COLUMNS, rows }],
    figures: [
      { name: "CPU of a fast ticker, latest_only", value: micros("latest only") / micros("queue"), unit: "× queue" },
      {
        name: "members with the latest value",
        value: of("latest only", (one) => one.upToDate),
        unit: "of 1",
        atLeast: 1,
      },
    ],
  };
}

async function setPolicy(server: Product | undefined, policy: string): Promise<void> {
  const conflation = policy === POLICIES["latest only"] ? { conflation_interval_ms: INTERVAL_MS } : {};
  const room = { room_id: ROOM, overload_policy: policy, ...conflation };
  const caller = new HttpClient(server?.rpc ?? "");
  await caller.send(call(server?.rpc ?? "", "CreateRoom", { room }));
  caller.close();
}

const ROOM = "ticker";

const call = (rpc: string, method: string, body: object): Buffer =>
  request(`${rpc}/baccarat.v1.RoomService/${method}`, "application/json", Buffer.from(JSON.stringify(body)));

async function tick(server: Server, rpc: string, members: number, seconds: number): Promise<Ticker> {
  const clients = await enterAll(server.port, Array(members).fill(server.enter(ROOM)));
  let frames = 0;
  const latest = clients.map(() => new Map<string, number>());
  for (const [index, client] of clients.entries()) {
    client.onFrame = (frame) => {
      const tick = TICK.exec(frame.toString("latin1"));
      if (tick?.[1] === undefined) return;
      frames++;
      latest[index]?.set(tick[1], Number(tick[2]));
    };
  }
  // One for each key: its values are stored in the order in which they are sent.
  const callers = KEYS.map((key) => ({ key, http: new HttpClient(rpc), sent: Promise.resolve(), last: -1 }));
  let events = 0;
  const stop = startMeter(server);
  await paced({ perSecond: TICKS_PER_SECOND, seconds, arrivals: "even" }, (_due, n) => {
    const caller = callers[n % callers.length];
    if (!caller) return;
    const { key, http } = caller;
    const event = { room_id: ROOM, type: TYPE, data: { key, n }, snapshot_key: key };
    caller.last = n;
    events++;
    caller.sent = caller.sent.then(() => http.send(call(rpc, "PublishEvent", event)));
  });
  await Promise.all(callers.map(({ sent }) => sent));
  const cost = stop();
  await pause(SETTLE_MS);
  for (const { http } of callers) http.close();
  for (const client of clients) client.close();
  const isUpToDate = (seen: ReadonlyMap<string, number>): boolean =>
    callers.every(({ key, last }) => seen.get(key) === last);
  return {
    framesPerSecond: frames / members / cost.seconds,
    micros: ((cost.user + cost.system) / events) * 1e6,
    upToDate: latest.filter(isUpToDate).length / members,
    loadCpu: cost.loadCpu,
  };
}

const TICK = /^\{"type":"ticker\.price".*"data":\{"key":"(\w+)","n":(\d+)\}/;
