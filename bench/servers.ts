import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Entrance } from "./raw-client.ts";

const ROOT = join(import.meta.dirname, "..");
const TICKS_PER_SECOND = Number(execFileSync("getconf", ["CLK_TCK"]).toString());

/** A server under test, in a process of its own on core 0; the load comes from core 1. */
export interface Server {
  readonly name: string;
  readonly port: number;
  /** How a client enters `room`. */
  enter(room: string): Entrance;
  /** A frame that says `text` in the room. */
  say(text: string, id: number): string;
  /** CPU seconds used so far. */
  cpu(): number;
  /** Resident set, in bytes. */
  rss(): number;
  stop(): Promise<void>;
}

/** Environment that lifts every limit a benchmark would meet. */
const UNLIMITED = {
  MESSAGES_PER_SECOND: "1000000",
  MESSAGE_BURST: "1000000",
  MESSAGES_PER_SECOND_PER_USER: "1000000",
  MESSAGE_BURST_PER_USER: "1000000",
  JOINS_PER_SECOND: "1000000",
  JOIN_BURST: "1000000",
  UPGRADES_PER_SECOND_PER_IP: "1000000",
  UPGRADE_BURST_PER_IP: "1000000",
  MAX_EVENT_LOOP_LAG_MS: "60000",
  MAX_CONNECTIONS_PER_IP: "100000",
  MAX_CONNECTIONS: "100000",
  MAX_PUBLISHES_IN_FLIGHT: "10000",
  MAX_OUTBOX_BYTES: "67108864",
  DEFAULT_ROOM: "",
  LOG_LEVEL: "warn",
};

/** The product, all of it in one process; parts of a cluster (`args`) share both cores with everything else. */
export async function product(
  env: Readonly<Record<string, string>> = {},
  args: readonly string[] = [],
): Promise<Server & { readonly rpc: string }> {
  const dataDir = await mkdtemp(join(tmpdir(), "baccarat-bench-"));
  const { child, line } = await launch(
    [join(ROOT, "bin/start.js"), ...args],
    (text) => text.includes('"listening"'),
    {
      ...UNLIMITED,
      EDGE_PORT: "0",
      RPC_PORT: "0",
      OPS_PORT: "0",
      DATA_DIR: dataDir,
      ...env,
    },
    args.length === 0,
  );
  const listening = JSON.parse(line) as { page?: string; rpc?: string };
  return {
    name: "product",
    port: Number(new URL(listening.page ?? "http://127.0.0.1:0").port),
    rpc: listening.rpc ?? "",
    // Who says at once what it wants need not wait for the automatic join.
    enter: (room) => ({ path: "/ws?room_id=", hello: joinRoom(room), frames: 2 }),
    say: (text, id) => JSON.stringify({ type: "send_message", id: `${id}`, payload: { message: text } }),
    ...measures(child),
    stop: async () => {
      await end(child);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** One of bench/baselines. */
export async function baseline(name: "naive-ws" | "raw-loop" | "socket-io"): Promise<Server> {
  const { child, line } = await launch(
    [join(ROOT, `bench/baselines/${name}.ts`)],
    (text) => text.startsWith("port "),
    {},
  );
  const isSocketIo = name === "socket-io";
  return {
    name,
    port: Number(line.slice("port ".length)),
    // Socket.IO answers its own handshake on top of Engine.IO's.
    enter: (room) =>
      isSocketIo
        ? { path: `/socket.io/?EIO=4&transport=websocket&room_id=${room}`, hello: "40", frames: 2 }
        : { path: `/ws?room_id=${room}`, frames: 1 },
    say: (text, id) =>
      isSocketIo
        ? `42${JSON.stringify(["say", text])}`
        : JSON.stringify({ type: "send_message", id: `${id}`, payload: { message: text } }),
    ...measures(child),
    stop: () => end(child),
  };
}

const joinRoom = (room: string): string =>
  JSON.stringify({ type: "join_room", id: "join", payload: { room_id: room } });

async function launch(
  args: readonly string[],
  isReady: (line: string) => boolean,
  env: Readonly<Record<string, string>>,
  pinned = true,
): Promise<{ child: ChildProcess; line: string }> {
  const command = [process.execPath, "--disable-warning=ExperimentalWarning", ...args];
  const child = spawn("taskset", ["-c", pinned ? "0" : "0-1", ...command], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  for (;;) {
    const [chunk] = (await once(child.stdout, "data")) as [Buffer];
    text += chunk.toString();
    const line = text.split("\n").find(isReady);
    if (line === undefined) continue;
    child.stdout.resume();
    return { child, line };
  }
}

function measures(child: ChildProcess): Pick<Server, "cpu" | "rss"> {
  const read = (file: string): string => readFileSync(`/proc/${child.pid}/${file}`, "utf8");
  return {
    cpu: () => {
      const fields = read("stat")
        .slice(read("stat").lastIndexOf(")") + 2)
        .split(" ");
      return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
    },
    rss: () => Number(/VmRSS:\s+(\d+)/.exec(read("status"))?.[1] ?? 0) * 1_024,
  };
}

async function end(child: ChildProcess): Promise<void> {
  child.kill("SIGTERM");
  await once(child, "exit");
}
