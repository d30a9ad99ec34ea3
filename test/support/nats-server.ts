import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually, within } from "./eventually.ts";

/** How long servers may take until JetStream answers, in milliseconds: an election takes up to 9 s, restarts need several. */
export const NATS_READY_MS = 40_000;

const SHOWN_LOG = 3_000;
const HOST = "127.0.0.1";

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** How to start servers. */
export interface NatsOptions {
  /** Path of the nats-server to run. */
  readonly path: string;
  /** 1 for a server alone, 3 for a cluster. */
  readonly size: number;
  /** Lines added to every configuration file. */
  readonly config?: string;
}

/**
 * Real nats-servers with JetStream on disk: one, or a cluster. Ports stay the same over restarts, so clients find them
 * again. Nodes do not advertise each other: a client knows the addresses it was given and no more.
 */
export class NatsServers implements AsyncDisposable {
  readonly nodes: readonly NatsNode[];
  readonly #directory: string;

  /** Starts servers with empty stores and waits until JetStream can create streams on all of them. */
  static async start(options: NatsOptions): Promise<NatsServers> {
    const directory = await mkdtemp(join(tmpdir(), "baccarat-nats-"));
    const ports = await freePorts(options.size * 3);
    const nodes = Array.from({ length: options.size }, (_, index) => {
      const [client = 0, route = 0, monitor = 0] = ports.slice(index * 3);
      return { index, client, route, monitor };
    });
    const routes = nodes.map((node) => `nats-route://${HOST}:${node.route}`).join(", ");
    const servers = new NatsServers(
      directory,
      await Promise.all(
        nodes.map(async (node) => {
          const file = join(directory, `n${node.index}.conf`);
          const cluster = `cluster { name: test, listen: "${HOST}:${node.route}", no_advertise: true, routes: [${routes}] }`;
          await writeFile(
            file,
            [
              `server_name: n${node.index}`,
              `listen: "${HOST}:${node.client}"`,
              `http: "${HOST}:${node.monitor}"`,
              `jetstream { store_dir: "${join(directory, `n${node.index}`)}", max_file_store: 100G, max_memory_store: 256M }`,
              options.size > 1 ? cluster : "",
              options.config ?? "",
            ].join("\n"),
          );
          return new NatsNode({ name: `n${node.index}`, path: options.path, file, ...node });
        }),
      ),
    );
    for (const node of servers.nodes) node.start();
    await servers.ready();
    return servers;
  }

  private constructor(directory: string, nodes: readonly NatsNode[]) {
    this.#directory = directory;
    this.nodes = nodes;
  }

  /** Addresses of all nodes, for a client. */
  get urls(): string[] {
    return this.nodes.map((node) => node.url);
  }

  /** Waits until JetStream has a leader and every node that runs has caught up with it. */
  async ready(): Promise<void> {
    await eventually("JetStream to be ready", async () => (await this.#isReady()) || undefined, {
      withinMs: NATS_READY_MS,
      state: () => this.log,
    });
  }

  /** The node that leads a stream. */
  async leader(stream: string): Promise<NatsNode> {
    if (this.nodes.length === 1) return this.node("n0");
    const name = await eventually(`a leader of ${stream}`, () => this.#leaderName(stream), {
      withinMs: NATS_READY_MS,
      state: () => this.log,
    });
    return this.node(name);
  }

  /** A node by its name, `n0` and so on. */
  node(name: string): NatsNode {
    const node = this.nodes.find((candidate) => candidate.name === name);
    if (node === undefined) throw new Error(`there is no node ${name}`);
    return node;
  }

  /** Ends of all logs, for failures. */
  get log(): string {
    return this.nodes.map((node) => `--- ${node.name}\n${node.log.slice(-SHOWN_LOG)}`).join("\n");
  }

  /** Kills everything and deletes the stores. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    await rm(this.#directory, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #isReady(): Promise<boolean> {
    const up = this.nodes.filter((node) => node.running);
    const states = await Promise.all(up.map(async (node) => ({ name: node.name, ...(await node.jetstream()) })));
    if (this.nodes.length === 1) return states.every((state) => state.disabled !== true);
    const leader = states.find((state) => state.meta_cluster?.leader === state.name);
    const followers = leader?.meta_cluster?.replicas?.filter((replica) => replica.current && !replica.offline) ?? [];
    return leader !== undefined && followers.length >= up.length - 1;
  }

  async #leaderName(stream: string): Promise<string | undefined> {
    for (const node of this.nodes.filter((candidate) => candidate.running)) {
      const state = await node.jetstream("streams=true");
      const details = state.account_details?.flatMap((account) => account.stream_detail ?? []) ?? [];
      const leader = details.find((detail) => detail.name === stream)?.cluster?.leader;
      if (leader === node.name) return leader;
    }
    return undefined;
  }
}

/** One nats-server process. */
export class NatsNode {
  readonly name: string;
  readonly url: string;
  readonly #path: string;
  readonly #file: string;
  readonly #monitor: string;
  #child: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();
  #log = "";

  constructor(options: { name: string; path: string; file: string; client: number; monitor: number }) {
    this.name = options.name;
    this.url = `${HOST}:${options.client}`;
    this.#path = options.path;
    this.#file = options.file;
    this.#monitor = `http://${HOST}:${options.monitor}`;
  }

  /** True between start and kill or stop, also while paused. */
  get running(): boolean {
    return this.#child !== undefined;
  }

  /** What the process wrote. */
  get log(): string {
    return this.#log;
  }

  /** Starts the process on the data it had; does not wait. */
  start(): void {
    if (this.#child) throw new Error(`${this.name} runs already`);
    const child = spawn(this.#path, ["-c", this.#file], { stdio: ["ignore", "ignore", "pipe"] });
    running.add(child);
    this.#child = child;
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#log = (this.#log + text).slice(-4 * SHOWN_LOG);
    });
    this.#exited = once(child, "close").finally(() => running.delete(child));
  }

  /** Kills the process (SIGKILL). */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  /** Stops the process as an operator would (SIGTERM). */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  /** Freezes the process: its connections stay open and silent. */
  pause(): void {
    this.#child?.kill("SIGSTOP");
  }

  /** Ends pause(). */
  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  /** JetStream's state as the process reports it. */
  async jetstream(query = ""): Promise<JetStreamState> {
    const response = await fetch(`${this.#monitor}/jsz?${query}`, { signal: AbortSignal.timeout(1_000) });
    return (await response.json()) as JetStreamState;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child) return;
    this.#child = undefined;
    child.kill(signal);
    await within(NATS_READY_MS, `${this.name} to end`, this.#exited, () => this.#log);
  }
}

/** What is read of /jsz. */
interface JetStreamState {
  readonly disabled?: boolean;
  readonly meta_cluster?: {
    readonly leader?: string;
    readonly replicas?: readonly { readonly current: boolean; readonly offline?: boolean }[];
  };
  readonly account_details?: readonly {
    readonly stream_detail?: readonly { readonly name: string; readonly cluster?: { readonly leader?: string } }[];
  }[];
}

/** Ports nobody listens on, all different: held open together while they are chosen. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, HOST);
      await once(server, "listening");
      return server;
    }),
  );
  return Promise.all(
    servers.map(async (server) => {
      const address = server.address();
      server.close();
      await once(server, "close");
      if (address === null || typeof address === "string") throw new Error("a TCP server has no port");
      return address.port;
    }),
  );
}
