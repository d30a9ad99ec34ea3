import { setTimeout as pause } from "node:timers/promises";
import { Audience, isMessage } from "../audience.ts";
import { instructions } from "../instructions.ts";
import { interleave, median, type Plan, type Rounds, startMeter } from "../measure.ts";
import { type Figure, LOAD_CPU, type Outcome, type Row } from "../report.ts";
import { baseline, product, type Server } from "../servers.ts";

/** What a run of fan-out measured. */
export interface FanOut {
  readonly deliveriesPerSecond: number;
  /** CPU of the server per delivery, in microseconds. */
  readonly userMicros: number;
  readonly systemMicros: number;
  /** Per delivery; undefined where they cannot be counted. */
  readonly instructions: number | undefined;
  readonly loadCpu: number;
}

/** How messages are sent: so many at once, by one connection in one write, or each by a connection of its own. */
interface Burst {
  readonly inFlight: number;
  readonly speakers: number;
}

const WARM_UP_SHARE = 0.15;
const TEXT = "x".repeat(200);
const COLUMNS = {
  members: "count",
  "in flight": "text",
  server: "text",
  "deliveries/s": "count",
  "× naive-ws": "decimal",
  "× socket-io": "decimal",
  "µs user": "decimal",
  "µs system": "decimal",
  instructions: "count",
  [LOAD_CPU]: "percent",
} as const;

/** One room of many members: messages are sent together, the next ones once every sampled member has all of them. */
export async function fanOutCase(plan: Plan): Promise<Outcome> {
  const servers = await Promise.all([product(), baseline("naive-ws"), baseline("raw-loop"), baseline("socket-io")]);
  const rows: Row[] = [];
  const figures: Figure[] = [];
  const bursts = [1, 2, 16].map((inFlight) => ({ inFlight, speakers: 1 }));
  const manySpeakers = [2, 16].map((inFlight) => ({ inFlight, speakers: inFlight }));
  for (const members of plan.quick ? [100] : [100, 1_000, 5_000]) {
    const all = members === 1_000 || plan.quick ? [...bursts, ...manySpeakers] : bursts;
    const rounds = await interleave(servers, plan.rounds, (server) => fanOuts(server, members, all, plan.seconds));
    for (const [index, burst] of all.entries()) rows.push(...rowsOf(rounds, index, members, burst));
    if (members === 1_000) figures.push(...figuresOf(rounds));
  }
  for (const server of servers) await server.stop();
  const title = "Fan-out of 200-byte messages: deliveries per second of one core, and what one of them costs it";
  return { tables: [{ title, columns: COLUMNS, rows }], figures };
}

/** Measures bursts one after the other in one room. */
export async function fanOuts(
  server: Server,
  members: number,
  bursts: readonly Burst[],
  seconds: number,
): Promise<FanOut[]> {
  const room = `fan-${members}-${Date.now()}`;
  const speakers = Math.max(...bursts.map((burst) => burst.speakers));
  using audience = await Audience.enter(server, room, members, speakers);
  const results: FanOut[] = [];
  for (const burst of bursts) results.push(await fanOut(server, room, audience, burst, seconds));
  return results;
}

async function fanOut(
  server: Server,
  room: string,
  audience: Audience,
  burst: Burst,
  seconds: number,
): Promise<FanOut> {
  audience.expectChange();
  const loop = new ClosedLoop(server, room, audience, burst);
  await pause(seconds * WARM_UP_SHARE * 1_000);
  const before = loop.messages;
  const stop = startMeter(server);
  const counting = instructions(server.pid, seconds);
  await pause(seconds * 1_000);
  const cost = stop();
  const deliveries = (loop.messages - before) * audience.size;
  const counted = await counting;
  await loop.end();
  return {
    deliveriesPerSecond: deliveries / cost.seconds,
    userMicros: (cost.user / deliveries) * 1e6,
    systemMicros: (cost.system / deliveries) * 1e6,
    instructions: counted === undefined ? undefined : counted / deliveries,
    loadCpu: cost.loadCpu,
  };
}

let lastId = 0;

/** Sends a burst, waits until all sampled members have all of it, and sends the next one. */
class ClosedLoop {
  /** Messages that a sampled member had on average: bursts of a large room take longer than a turn measures. */
  get messages(): number {
    return this.#received / this.#listeners;
  }
  readonly #send: () => void;
  readonly #frames: number;
  readonly #listeners: number;
  readonly #ended = Promise.withResolvers<void>();
  #received = 0;
  #missing = 0;
  #running = true;

  constructor(server: Server, room: string, audience: Audience, burst: Burst) {
    this.#listeners = audience.sampled.length;
    this.#frames = burst.inFlight * this.#listeners;
    const each = burst.inFlight / burst.speakers;
    this.#send = () => {
      for (const speaker of audience.speakers.slice(0, burst.speakers)) {
        speaker.send(...Array.from({ length: each }, () => server.say(room, TEXT, ++lastId)));
      }
    };
    for (const client of audience.sampled) {
      client.onFrame = (frame) => {
        if (!isMessage(frame)) return;
        this.#received++;
        if (--this.#missing === 0) this.#next();
      };
    }
    this.#begin();
  }

  /** Sends nothing more; resolves when everything has arrived. */
  async end(): Promise<void> {
    this.#running = false;
    await this.#ended.promise;
  }

  #begin(): void {
    this.#missing = this.#frames;
    this.#send();
  }

  #next(): void {
    if (this.#running) this.#begin();
    else this.#ended.resolve();
  }
}

function rowsOf(rounds: Rounds<FanOut[]>, index: number, members: number, burst: Burst): Row[] {
  const of = (server: string, value: (one: FanOut) => number | undefined): number =>
    median((rounds.get(server) ?? []).flatMap((bursts) => (bursts[index] && value(bursts[index])) ?? []));
  const rate = (server: string): number => of(server, (one) => one.deliveriesPerSecond);
  return [...rounds.keys()].map((server) => ({
    members,
    "in flight": burst.speakers > 1 ? `${burst.inFlight}, by as many` : `${burst.inFlight}`,
    server,
    "deliveries/s": rate(server),
    "× naive-ws": rate(server) / rate("naive-ws"),
    "× socket-io": rate(server) / rate("socket-io"),
    "µs user": of(server, (one) => one.userMicros),
    "µs system": of(server, (one) => one.systemMicros),
    instructions: of(server, (one) => one.instructions),
    [LOAD_CPU]: of(server, (one) => one.loadCpu),
  }));
}

function figuresOf(rounds: Rounds<FanOut[]>): Figure[] {
  const ratio = (index: number, other: string): number => {
    const rate = (server: string): number =>
      median((rounds.get(server) ?? []).map((bursts) => bursts[index]?.deliveriesPerSecond ?? Number.NaN));
    return rate("product") / rate(other);
  };
  const name = (inFlight: number): string => `fan-out, 1,000 members, ${inFlight} in flight`;
  return [
    { name: name(1), value: ratio(0, "naive-ws"), unit: "× naive-ws" },
    { name: name(2), value: ratio(1, "naive-ws"), unit: "× naive-ws", atLeast: 2.2 },
    { name: name(2), value: ratio(1, "socket-io"), unit: "× socket-io", atLeast: 3 },
    { name: name(16), value: ratio(2, "naive-ws"), unit: "× naive-ws", atLeast: 12 },
  ];
}
