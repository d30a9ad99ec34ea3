import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Entrance } from "./entrance.ts";
import { onCores, SERVER_CORE } from "./machine.ts";

const ROOT = join(import.meta.dirname, "..");
/** How long a server may take to start, and to stop, in milliseconds. */
const START_MS = 60_000;
const STOP_MS = 30_000;

/** CPU seconds. */
export interface Cpu {
  readonly user: number;
  readonly system: number;
}

/** A server under test, in a process of its own on core 0; the load comes from core 1. */
export interface Server {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** How a client enters `room`. */
  enter(room: string): Entrance;
  /** A frame that says `text` in `room`, and how it begins when a member receives it. */
  say(room: string, text: string, id: number): string;
  /** CPU used so far. */
  cpu(): Cpu;
  /** Resident set, in bytes. */
  rss(): number;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** The product has more to talk to. */
export interface Product extends Server {
  /** URL of the RPCs. */
  readonly rpc: string;
  /** URL of health and metrics. */
  readonly ops: string;
}

/** Environment that lifts every limit a benchmark would meet. */
const UNLIMITED = {
  MESSAGES_PER_SECOND: "1000000",
  MESSAGE_BURST: "1000000",
  MESSAGES_PER_SECOND_PER_USER: "1000000",
  MESSAGE_BURST_PER_USER: "1000000",
  JOINS_PER_SECOND: "1000000",
  JOIN_BURST: "1000000",
  MAX_PUBLISHES_IN_FLIGHT: "10000",
  MAX_ROOMS_PER_CONNECTION: "10000",
  MAX_OUTBOX_BYTES: "67108864",
};

/** Environment that lets all of the load in though it comes from one address. */
const ONE_ADDRESS = {
  UPGRADES_PER_SECOND_PER_IP: "1000000",
  UPGRADE_BURST_PER_IP: "1000000",
  MAX_EVENT_LOOP_LAG_MS: "60000",
  MAX_CONNECTIONS_PER_IP: "100000",
  MAX_CONNECTIONS: "100000",
};

/** How to run the product. */
export interface ProductOptions {
  /** Name in the results. Default `product`. */
  readonly name?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** False: it shares both cores with everything else, as parts of a cluster do. Default true. */
  readonly pinned?: boolean;
  /** True: the limits on traffic are the default ones. Default false. */
  readonly limited?: boolean;
  /** How a client enters a room. Default: as a guest. */
  readonly enter?: (room: string) => Entrance;
  /** Where it stores. Default: a new directory, deleted at the end. */
  readonly dataDir?: string;
}

/** Starts the product; all of it in one process, unless `args` say otherwise. */
export async function product(options: ProductOptions = {}): Promise<Product> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "baccarat-bench-")));
  const { child, line } = await launch(
    [...nodeFlags(), join(ROOT, "bin/start.js"), ...(options.args ?? [])],
    (text) => text.includes('"listening"'),
    {
      env: {
        ...ONE_ADDRESS,
        ...(options.limited ? {} : UNLIMITED),
        EDGE_PORT: "0",
        RPC_PORT: "0",
        OPS_PORT: "0",
        DEFAULT_ROOM: "",
        LOG_LEVEL: "warn",
        DRAIN_SECONDS: "1",
        DATA_DIR: dataDir,
        ...options.env,
      },
      pinned: options.pinned ?? true,
    },
  );
  const listening = JSON.parse(line) as { page?: string; rpc?: string; ops?: string };
  return {
    name: options.name ?? "product",
    port: Number(new URL(listening.page ?? "http://127.0.0.1:0").port),
    rpc: listening.rpc ?? "",
    ops: listening.ops ?? "",
    enter: options.enter ?? asGuest,
    say,
    ...measures(child),
    stop: async (signal) => {
      await end(child, signal);
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** One of bench/baselines. */
export async function baseline(name: "naive-ws" | "raw-loop" | "bare-ws" | "unary" | "socket-io"): Promise<Server> {
  const { child, line } = await launch([join(ROOT, `bench/baselines/${name}.ts`)], (text) => text.startsWith("port "), {
    env: {},
    pinned: true,
  });
  const dialect = name === "socket-io" ? SOCKET_IO : { enter: (room: string) => inUrl(room, name), say };
  return {
    name,
    port: Number(line.slice("port ".length)),
    ...dialect,
    ...measures(child),
    stop: (signal) => end(child, signal),
  };
}

/** The frame that a client joins by. */
export const joinRoom = (room: string, more: object = {}): string =>
  JSON.stringify({ type: "join_room", id: "join", payload: { room_id: room, ...more } });

const say = (room: string, message: string, id: number): string =>
  JSON.stringify({ type: "send_message", id: `${id}`, payload: { room_id: room, message } });

// Who says at once that it wants no room need not wait for the automatic join.
const asGuest = (room: string): Entrance => ({ path: "/ws?room_id=", greetings: 1, says: [joinRoom(room)] });

const inUrl = (room: string, name: string): Entrance => ({
  path: `/ws?room_id=${room}`,
  greetings: name === "bare-ws" ? 0 : 1,
});

const SOCKET_IO: Pick<Server, "enter" | "say"> = {
  // Its own handshake comes on top of Engine.IO's.
  enter: (room) => ({
    path: `/socket.io/?EIO=4&transport=websocket&room_id=${room}`,
    greetings: 1,
    says: ["40"],
  }),
  say: (_room, text, id) => `42${id}${JSON.stringify(["say", text])}`,
};

/** BENCH_NODE_FLAGS, such as `--cpu-prof --cpu-prof-dir=/tmp/profile`, to look into the product while it is measured. */
const nodeFlags = (): string[] => [
  "--max-semi-space-size=16", // as npm start has it, and so the next
  "--heap-growing-percent=100",
  ...(process.env.BENCH_NODE_FLAGS ?? "").split(" ").filter((flag) => flag !== ""),
];

const running = new Set<ChildProcess>();
process.on("exit", killServers);

/** Ends what a case that failed left running. */
export function killServers(): void {
  for (const child of running) child.kill("SIGKILL");
}

async function launch(
  args: readonly string[],
  isReady: (line: string) => boolean,
  { env, pinned }: { readonly env: Readonly<Record<string, string>>; readonly pinned: boolean },
): Promise<{ child: ChildProcess; line: string }> {
  const [command, ...rest] = onCores(pinned ? SERVER_CORE : "all", [
    process.execPath,
    "--disable-warning=ExperimentalWarning",
    ...args,
  ]);
  const child = spawn(command, rest, {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.add(child);
  child.on("exit", () => running.delete(child));
  const late = AbortSignal.timeout(START_MS);
  child.on("exit", (code) => child.stdout.emit("error", new Error(`${args.join(" ")} ended with ${code}`)));
  for (let text = ""; ; ) {
    const [chunk] = (await once(child.stdout, "data", { signal: late })) as [Buffer];
    text += chunk.toString();
    const line = text.split("\n").find(isReady);
    if (line === undefined) continue;
    child.stdout.on("error", () => undefined).resume();
    return { child, line };
  }
}

function measures(child: ChildProcess): Pick<Server, "cpu" | "rss" | "pid"> {
  const { pid = 0 } = child;
  const ticksPerSecond = Number(execFileSync("getconf", ["CLK_TCK"]).toString());
  const read = (file: string): string => readFileSync(`/proc/${pid}/${file}`, "utf8");
  return {
    pid,
    cpu: () => {
      const stat = read("stat");
      // After the name in parentheses, which may hold spaces: see proc(5).
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return { user: Number(fields[11]) / ticksPerSecond, system: Number(fields[12]) / ticksPerSecond };
    },
    rss: () => Number(/VmRSS:\s+(\d+)/.exec(read("status"))?.[1] ?? 0) * 1_024,
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  if (!running.has(child)) return;
  const ended = once(child, "exit");
  child.kill(signal);
  const late = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await ended;
  clearTimeout(late);
}
