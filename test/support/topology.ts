import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Addresses, type Exit, ProductProcess } from "./process.ts";

/**
 * Processes that together are the product. Scenarios know nothing else of it, so they run unchanged on one process and
 * on a cluster. Addresses are base URLs (http://127.0.0.1:port) and may change when a process is started again.
 */
export interface Topology {
  readonly edges: readonly string[];
  readonly rpcs: readonly string[];
  readonly ops: readonly string[];
  /** Starts everything with empty data. */
  start(): Promise<void>;
  /** Stops everything with SIGTERM and deletes the data. @throws Error when a process crashed, logged an error or does not stop. */
  stop(): Promise<void>;
  /** Kills an edge (SIGKILL), and what else runs in its process. */
  killEdge(index: number): Promise<void>;
  /** Stops an edge (SIGTERM), and what else runs in its process. */
  stopEdge(index: number): Promise<Exit>;
  /** Starts a killed or stopped edge again, on the data it had. */
  startEdge(index: number): Promise<void>;
}

/** Environment that lifts the limits of traffic, for scenarios that are not about them. */
export const NO_TRAFFIC_LIMITS = {
  MESSAGES_PER_SECOND: "1000000",
  MESSAGE_BURST: "1000000",
  MESSAGES_PER_SECOND_PER_USER: "1000000",
  MESSAGE_BURST_PER_USER: "1000000",
  JOINS_PER_SECOND: "1000000",
  JOIN_BURST: "1000000",
  UPGRADES_PER_SECOND_PER_IP: "100000",
  UPGRADE_BURST_PER_IP: "100000",
  MAX_CONNECTIONS_PER_IP: "100000",
  MAX_EVENT_LOOP_LAG_MS: "60000",
} as const;

/** Role `all` with the embedded broker: what `npm start` runs. */
export function singleProcess(env: Readonly<Record<string, string>> = {}): Topology {
  return new SingleProcess(env);
}

class SingleProcess implements Topology {
  readonly #env: Readonly<Record<string, string>>;
  #directory: string | undefined;
  #process: ProductProcess | undefined;

  constructor(env: Readonly<Record<string, string>>) {
    this.#env = env;
  }

  get edges(): readonly string[] {
    return [this.#address("edge")];
  }

  get rpcs(): readonly string[] {
    return [this.#address("rpc")];
  }

  get ops(): readonly string[] {
    return [this.#address("ops")];
  }

  async start(): Promise<void> {
    this.#directory = await mkdtemp(join(tmpdir(), "baccarat-e2e-"));
    await this.startEdge(0);
  }

  async stop(): Promise<void> {
    try {
      if (this.#process) await this.stopEdge(0);
    } finally {
      if (this.#directory !== undefined) await rm(this.#directory, { recursive: true, force: true });
    }
  }

  async killEdge(_index: number): Promise<void> {
    await this.#running.stop("SIGKILL");
    this.#process = undefined;
  }

  async stopEdge(_index: number): Promise<Exit> {
    const stopping = this.#running;
    this.#process = undefined;
    const exit = await stopping.stop();
    if (exit.code !== 0) throw new Error(`the process ended with ${exit.code ?? exit.signal}:\n${stopping.stderr}`);
    const complaints = stopping.complaints();
    if (complaints.length > 0) throw new Error(`the process logged errors:\n${complaints.join("\n")}`);
    return exit;
  }

  async startEdge(_index: number): Promise<void> {
    if (this.#directory === undefined) throw new Error("the topology was not started");
    this.#process = await ProductProcess.start({ env: { ...this.#env, DATA_DIR: this.#directory } });
  }

  get #running(): ProductProcess {
    if (this.#process === undefined) throw new Error("the process is not running");
    return this.#process;
  }

  #address(port: keyof Addresses): string {
    const address = this.#running.addresses[port];
    if (address === undefined) throw new Error(`the process printed no address of its ${port} port`);
    return address;
  }
}
