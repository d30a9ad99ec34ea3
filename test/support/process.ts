import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { eventually, within } from "./eventually.ts";

/** The root of the checkout. */
export const ROOT = join(import.meta.dirname, "../..");

/** How to start the product. */
export interface ProcessOptions {
  /** Environment; PATH, HOME and ports 0 are added. */
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments. Default: none, which is role `all`. */
  readonly args?: readonly string[];
  /** What to run instead of `node bin/start.js`. */
  readonly command?: readonly [string, ...string[]];
  readonly cwd?: string;
}

/** How a process ended: by itself with a code, or by a signal. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Where a running process listens, as base URLs; absent when its role has no such port. */
export interface Addresses {
  readonly edge?: string;
  readonly rpc?: string;
  readonly ops?: string;
}

/** Environment of a process whose memory is measured. */
export const COLLECTS_GARBAGE = {
  NODE_OPTIONS: `--import=${join(import.meta.dirname, "collect-garbage.ts")}`,
} as const;

/** Environment of a process that says at its end which packages it loaded. */
export const TELLS_MODULES = { NODE_OPTIONS: `--import=${join(import.meta.dirname, "tell-modules.ts")}` } as const;

/** How long a start or a stop may take where that is not what is tested, in milliseconds: the machine may be very busy. */
export const START_MS = 30_000;

const LISTENING = "listening";
const ENTRY = join(ROOT, "bin/start.js");
/** As in package.json's `start`. */
const FLAGS = ["--disable-warning=ExperimentalWarning", "--max-semi-space-size=16", "--heap-growing-percent=100"];
const SHOWN_OUTPUT = 4_000;

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** One real process of the product. */
export class ProductProcess {
  /** Settles when the process has ended and everything it wrote was read. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #listening: Promise<Addresses>;
  #stdout = "";
  #stderr = "";
  #addresses: Addresses | undefined;

  /** Starts a process and waits until it listens. @throws Error with its output when it ends or takes too long. */
  static async start(options: ProcessOptions = {}): Promise<ProductProcess> {
    const started = new ProductProcess(options);
    await started.listening();
    return started;
  }

  /** Starts a process and does not wait: for those that are expected to fail. */
  constructor(options: ProcessOptions = {}) {
    const [command, ...first] = options.command ?? [process.execPath, ...FLAGS, ENTRY];
    this.#child = spawn(command, [...first, ...(options.args ?? [])], {
      cwd: options.cwd ?? ROOT,
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        EDGE_PORT: "0",
        RPC_PORT: "0",
        OPS_PORT: "0",
        ...options.env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(this.#child);
    this.exited = this.#awaitExit();
    this.#listening = this.#awaitListening();
    // Whoever awaits listening() hears of the failure; a process that is expected to fail has nobody who does.
    this.#listening.catch(() => undefined);
  }

  /** Id of the process. */
  get pid(): number {
    if (this.#child.pid === undefined) throw new Error("the process could not be started");
    return this.#child.pid;
  }

  /** Everything written to stdout so far. */
  get stdout(): string {
    return this.#stdout;
  }

  /** Everything written to stderr so far. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Where it listens. @throws Error before listening() has resolved. */
  get addresses(): Addresses {
    if (this.#addresses === undefined) throw new Error(`the process does not listen yet${this.#output()}`);
    return this.#addresses;
  }

  /** The log's lines so far, those that are JSON. */
  logLines(): Record<string, unknown>[] {
    return this.#stdout.split("\n").flatMap((line) => {
      const entry = parseLine(line);
      return entry ? [entry] : [];
    });
  }

  /** What should never be in the log of a run without faults: errors, and lines that are no JSON. For after the end. */
  complaints(): string[] {
    const lines = this.#stdout.split("\n").filter((line) => line !== "");
    return lines.filter((line) => {
      const level = parseLine(line)?.level;
      return level === undefined || level === "error" || level === "fatal";
    });
  }

  /** Waits until the process listens. @throws Error with its output when it ends or takes too long. */
  async listening(withinMs: number = START_MS): Promise<Addresses> {
    this.#addresses = await within(withinMs, "the process to listen", this.#listening, () => this.#output());
    return this.#addresses;
  }

  /** Bytes it has in memory once all garbage is collected. For processes with COLLECTS_GARBAGE in their environment. */
  async residentBytes(): Promise<number> {
    const measured = (): unknown[] =>
      this.logLines().flatMap((line) => (line.msg === "garbage collected" ? [line.residentBytes] : []));
    const before = measured().length;
    this.signal("SIGWINCH");
    return await eventually("garbage to be collected", () => measured()[before] as number | undefined);
  }

  /** Sends a signal. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends a signal, SIGTERM by default, and waits for the end. @throws Error with the output when that takes too long. */
  stop(signal: NodeJS.Signals = "SIGTERM", withinMs: number = START_MS): Promise<Exit> {
    this.signal(signal);
    return this.exit(withinMs, `the process to end after ${signal}`);
  }

  /** Waits for the end. @throws Error with the output when that takes too long. */
  exit(withinMs: number = START_MS, what = "the process to end"): Promise<Exit> {
    return within(withinMs, what, this.exited, () => this.#output());
  }

  async #awaitExit(): Promise<Exit> {
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
    const [code, signal] = (await once(this.#child, "close")) as [number | null, NodeJS.Signals | null];
    running.delete(this.#child);
    return { code, signal };
  }

  #awaitListening(): Promise<Addresses> {
    const { promise, resolve, reject } = Promise.withResolvers<Addresses>();
    const look = (): void => {
      const entry = this.logLines().find((line) => line.msg === LISTENING);
      if (entry === undefined) return;
      this.#child.stdout?.off("data", look);
      resolve(addressesOf(entry));
    };
    this.#child.stdout?.on("data", look);
    const ended = (exit: Exit): void =>
      reject(new Error(`the process ended (${exit.code ?? exit.signal}) before it listened${this.#output()}`));
    this.exited.then(ended, reject);
    return promise;
  }

  #output(): string {
    return `\nstdout: ${this.#stdout.slice(-SHOWN_OUTPUT)}\nstderr: ${this.#stderr.slice(-SHOWN_OUTPUT)}`;
  }
}

function parseLine(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    // The last line may be half written.
    return undefined;
  }
}

function addressesOf(entry: Record<string, unknown>): Addresses {
  const address = (name: keyof Addresses, field: string): Addresses => {
    const url = entry[field];
    return typeof url === "string" ? { [name]: url.replace(/\/$/, "") } : {};
  };
  return { ...address("edge", "page"), ...address("rpc", "rpc"), ...address("ops", "ops") };
}
