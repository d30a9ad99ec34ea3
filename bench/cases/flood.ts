import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { isMessage } from "../audience.ts";
import { enterAll } from "../entrance.ts";
import { type Latency, latencyOf, median, type Plan } from "../measure.ts";
import type { RawClient } from "../raw-client.ts";
import type { Outcome } from "../report.ts";
import { type Product, product } from "../servers.ts";
import { saidAt, timed } from "../timed.ts";

/** Others, in rooms of their own, of whom one speaks a few times a second, which no limit minds. */
const ROOMS = 10;
const ROOM_SIZE = 5;
const SAY_EVERY_MS = 100;
const FLOODED_AT_LEAST_MS = 2_000;
const COUNTED_MS = 4_000;
const PROBE_EVERY_MS = 100;

/** A stretch of time as the others saw it. */
interface Calm extends Latency {
  readonly seconds: number;
  /** Share of the requests to /livez that were answered with 200, and the longest wait for one in milliseconds. */
  readonly alive: number;
  readonly slowestMs: number;
}

interface Flood {
  readonly quiet: Calm;
  readonly flooded: Calm;
  /** Connections the server closed with 4004; whoever goes on writing may never read why. */
  readonly ended: number;
  readonly grownBytes: number;
}

/** 200 connections that send as fast as they can, and what everybody else notices of it. Limits are the default ones. */
export async function floodCase(plan: Plan): Promise<Outcome> {
  const connections = plan.quick ? 20 : 200;
  const runs: Flood[] = [];
  for (let round = 0; round < plan.rounds; round++) runs.push(await flood(connections, plan.seconds));
  const of = (value: (run: Flood) => number): number => median(runs.map(value));
  const row = (what: string, part: (run: Flood) => Calm) => ({
    what,
    "p50 ms": of((run) => part(run).p50),
    "p99 ms": of((run) => part(run).p99),
    "/livez answered": of((run) => part(run).alive),
    "slowest /livez ms": of((run) => part(run).slowestMs),
    seconds: of((run) => part(run).seconds),
  });
  const ended = Math.min(...runs.map((run) => run.ended));
  const columns = {
    what: "text",
    "p50 ms": "decimal",
    "p99 ms": "decimal",
    "/livez answered": "percent",
    "slowest /livez ms": "decimal",
    seconds: "decimal",
    "ended by 4004": "count",
    "MB grown": "count",
  } as const;
  const rows = [
    row("quiet", (run) => run.quiet),
    {
      ...row(`${connections} connections at full speed`, (run) => run.flooded),
      "ended by 4004": ended,
      "MB grown": of((run) => run.grownBytes) / 1e6,
    },
  ];
  const ratio = of((run) => run.flooded.p99 / run.quiet.p99);
  return {
    tables: [{ title: "What others notice of a flood", columns, rows }],
    figures: [
      { name: "others' p99 while flooded", value: ratio, unit: "× quiet", atMost: 5 },
      { name: "flooding connections ended by 4004", value: ended, unit: `of ${connections}`, atLeast: connections },
    ],
  };
}

async function flood(connections: number, seconds: number): Promise<Flood> {
  const server = await product({ limited: true });
  const flooder = spawnFlooder(server.port, connections);
  try {
    await flooder.line();
    const others = await Others.enter(server);
    const quiet = await others.watch(server, pause(seconds * 1_000));
    const before = server.rss();
    let most = before;
    const watching = setInterval(() => {
      most = Math.max(most, server.rss());
    }, PROBE_EVERY_MS);
    const flooded = await others.watch(server, Promise.all([flooder.go(), pause(FLOODED_AT_LEAST_MS)]));
    clearInterval(watching);
    others.leave();
    // A client may see its end before the server has counted it.
    await pause(COUNTED_MS);
    return { quiet, flooded, ended: await closed(server, 4_004), grownBytes: most - before };
  } finally {
    flooder.child.kill("SIGKILL");
    await server.stop();
  }
}

/** How many connections a server closed with a code. */
async function closed(server: Product, code: number): Promise<number> {
  const metrics = await (await fetch(`${server.ops}/metrics`)).text();
  return Number(new RegExp(`^baccarat_closes_total\\{code="${code}"\\} (\\d+)`, "m").exec(metrics)?.[1] ?? 0);
}

/** People who talk in their rooms as if nothing were the matter. */
class Others {
  readonly #rooms: readonly (readonly RawClient[])[];
  readonly #say: (speaker: RawClient, room: number) => void;
  #latencies: number[] = [];
  #id = 0;

  static async enter(server: Product): Promise<Others> {
    const rooms = Array.from({ length: ROOMS }, (_, room) => Array(ROOM_SIZE).fill(server.enter(`calm-${room}`)));
    return new Others(server, await Promise.all(rooms.map((entrances) => enterAll(server.port, entrances))));
  }

  private constructor(server: Product, rooms: readonly (readonly RawClient[])[]) {
    this.#rooms = rooms;
    this.#say = (speaker, room) => speaker.send(server.say(`calm-${room}`, timed(performance.now()), ++this.#id));
    for (const client of rooms.flat()) {
      client.onFrame = (frame) => {
        if (isMessage(frame)) this.#latencies.push(performance.now() - saidAt(frame.toString("latin1")));
      };
    }
  }

  /** Talks until something is over. */
  async watch(server: Product, over: Promise<unknown>): Promise<Calm> {
    this.#latencies = [];
    const at = performance.now();
    const talking = setInterval(() => {
      for (const [room, [speaker]] of this.#rooms.entries()) if (speaker) this.#say(speaker, room);
    }, SAY_EVERY_MS);
    const probe = new Probe(`${server.ops}/livez`);
    await over;
    clearInterval(talking);
    const seconds = (performance.now() - at) / 1_000;
    return { ...latencyOf(this.#latencies), seconds, ...(await probe.end()) };
  }

  leave(): void {
    for (const client of this.#rooms.flat()) client.close();
  }
}

/** Asks a URL again and again. */
class Probe {
  readonly #waits: number[] = [];
  readonly #asked: Promise<void>;
  #running = true;
  #answered = 0;

  constructor(url: string) {
    this.#asked = this.#ask(url);
  }

  async end(): Promise<Pick<Calm, "alive" | "slowestMs">> {
    this.#running = false;
    await this.#asked;
    return { alive: this.#answered / this.#waits.length, slowestMs: Math.max(...this.#waits) };
  }

  async #ask(url: string): Promise<void> {
    while (this.#running) {
      const at = performance.now();
      const response = await fetch(url, { headers: { connection: "close" } });
      await response.arrayBuffer();
      this.#waits.push(performance.now() - at);
      if (response.status === 200) this.#answered++;
      await pause(PROBE_EVERY_MS);
    }
  }
}

function spawnFlooder(port: number, connections: number) {
  // It shares the load's core and must not keep those from it who measure.
  const child: ChildProcess = spawn(
    "nice",
    ["-n", "19", process.execPath, join(import.meta.dirname, "../flooder.ts"), `${port}`, `${connections}`],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  if (!child.stdout) throw new Error("the flooder has no output");
  const lines: Interface = createInterface({ input: child.stdout });
  const line = async (): Promise<string> => ((await once(lines, "line")) as [string])[0];
  return {
    child,
    line,
    /** Resolves when every connection has ended. */
    async go(): Promise<void> {
      child.stdin?.write("go\n");
      await line();
    },
  };
}
