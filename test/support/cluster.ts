import { getNatsServers, type NatsServerBinary } from "../../scripts/get-nats-server.ts";
import { NatsServers } from "./nats-server.ts";
import { type Exit, ProductProcess } from "./process.ts";
import type { Topology } from "./topology.ts";

/** How large a cluster is. */
export interface ClusterSize {
  readonly nats?: 1 | 3;
  readonly rooms?: number;
  readonly edges?: number;
  /** Which nats-server to run, of those at hand. Default: the oldest. */
  readonly server?: NatsServerBinary;
  /** Port through which an edge reaches each NATS server, when not its own: a proxy. */
  readonly natsPorts?: (edge: number, ports: readonly number[]) => readonly number[] | Promise<readonly number[]>;
}

/** A cluster of real processes: NATS servers, RoomServices and edges. Everything of it can be killed. */
export class Cluster implements Topology {
  readonly #env: Readonly<Record<string, string>>;
  readonly #size: Required<Pick<ClusterSize, "nats" | "rooms" | "edges">>;
  readonly #options: ClusterSize;
  readonly #rooms: (ProductProcess | undefined)[] = [];
  readonly #edges: (ProductProcess | undefined)[] = [];
  #nats: NatsServers | undefined;
  /** Ports stay the same over restarts, so that edges find their RoomServices again. */
  readonly #ports = new Map<string, Readonly<Record<string, string>>>();

  constructor(env: Readonly<Record<string, string>> = {}, size: ClusterSize = {}) {
    this.#env = env;
    this.#options = size;
    this.#size = { nats: size.nats ?? 3, rooms: size.rooms ?? 2, edges: size.edges ?? 3 };
  }

  get edges(): readonly string[] {
    return this.#edges.flatMap((edge) => edge?.addresses.edge ?? []);
  }

  get rpcs(): readonly string[] {
    return this.#rooms.flatMap((room) => room?.addresses.rpc ?? []);
  }

  get ops(): readonly string[] {
    return [...this.#edges, ...this.#rooms].flatMap((process) => process?.addresses.ops ?? []);
  }

  /** The NATS servers. */
  get nats(): NatsServers {
    if (!this.#nats) throw new Error("the cluster was not started");
    return this.#nats;
  }

  /** A running edge's process. */
  edge(index: number): ProductProcess {
    return present(this.#edges[index], `edge ${index}`);
  }

  /** A running RoomService's process. */
  room(index: number): ProductProcess {
    return present(this.#rooms[index], `RoomService ${index}`);
  }

  async start(): Promise<void> {
    const server = this.#options.server ?? (await getNatsServers(process.env))[0];
    if (!server) throw new Error("no nats-server");
    process.stdout.write(`nats-server ${server.version} (${server.origin})\n`);
    this.#nats = await NatsServers.start({ path: server.path, size: this.#size.nats });
    for (let index = 0; index < this.#size.rooms; index++) await this.startRoom(index);
    await Promise.all(Array.from({ length: this.#size.edges }, (_, index) => this.startEdge(index)));
  }

  async stop(): Promise<void> {
    try {
      const ended = await Promise.all(
        [...this.#edges, ...this.#rooms].flatMap((one) => (one ? [one.stop().then((exit) => ({ one, exit }))] : [])),
      );
      for (const { one, exit } of ended) {
        if (exit.code !== 0)
          throw new Error(`a process ended with ${exit.code ?? exit.signal}:\n${one.stderr}\n${one.stdout}`);
      }
    } finally {
      await this.#nats?.stop();
    }
  }

  async killEdge(index: number): Promise<void> {
    await this.#take(this.#edges, index).stop("SIGKILL");
  }

  async stopEdge(index: number): Promise<Exit> {
    return await this.#take(this.#edges, index).stop();
  }

  async startEdge(index: number): Promise<void> {
    const ports = this.nats.urls.map((url) => Number(url.split(":")[1]));
    const reached = (await this.#options.natsPorts?.(index, ports)) ?? ports;
    this.#edges[index] = await this.#launch(`edge ${index}`, "--role=edge", {
      NATS_URL: reached.map((port) => `127.0.0.1:${port}`).join(","),
      EDGE_ID: `edge-${index}`,
      ROOM_SERVICE_URL: this.#rotated(index).join(","),
    });
  }

  /** Kills a RoomService (SIGKILL). */
  async killRoom(index: number): Promise<void> {
    await this.#take(this.#rooms, index).stop("SIGKILL");
  }

  /** Stops a RoomService (SIGTERM). */
  async stopRoom(index: number): Promise<Exit> {
    return await this.#take(this.#rooms, index).stop();
  }

  /** Starts a RoomService, on the ports it had. */
  async startRoom(index: number): Promise<void> {
    this.#rooms[index] = await this.#launch(`room ${index}`, "--role=room", {});
  }

  async #launch(name: string, role: string, env: Readonly<Record<string, string>>): Promise<ProductProcess> {
    const started = await ProductProcess.start({
      args: [role],
      env: { NATS_URL: this.nats.urls.join(","), DRAIN_SECONDS: "1", ...this.#env, ...env, ...this.#ports.get(name) },
    });
    const { edge, rpc, ops } = started.addresses;
    const port = (variable: string, url: string | undefined) =>
      url === undefined ? {} : { [variable]: new URL(url).port };
    this.#ports.set(name, { ...port("EDGE_PORT", edge), ...port("RPC_PORT", rpc), ...port("OPS_PORT", ops) });
    return started;
  }

  /** Every RoomService's address, beginning with another one for every edge, so that they spread. */
  #rotated(index: number): string[] {
    const urls = Array.from({ length: this.#size.rooms }, (_, room) => {
      const port = this.#ports.get(`room ${room}`)?.RPC_PORT;
      return `http://127.0.0.1:${port}`;
    });
    return [...urls.slice(index % urls.length), ...urls.slice(0, index % urls.length)];
  }

  #take(processes: (ProductProcess | undefined)[], index: number): ProductProcess {
    const taken = present(processes[index], `process ${index}`);
    processes[index] = undefined;
    return taken;
  }
}

function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`${what} does not run`);
  return value;
}
