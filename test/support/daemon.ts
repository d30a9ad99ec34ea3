import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { within } from "./eventually.ts";

/** How long a program may take to end, in milliseconds. */
const END_MS = 30_000;
const SHOWN_LOG = 4_000;

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A program that runs in the background: a server that is not ours. */
export class Daemon {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #log = "";

  constructor(name: string, command: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const [file = "", ...args] = command;
    this.#name = name;
    this.#child = spawn(file, args, {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(this.#child);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#log = (this.#log + text).slice(-SHOWN_LOG);
      });
    }
    this.#child.on("error", (error) => {
      this.#log += String(error);
    });
    this.#exited = once(this.#child, "close").finally(() => running.delete(this.#child));
    // Whoever stops it hears of it; one that could not be started has nothing to end.
    this.#exited.catch(() => undefined);
  }

  /** The end of what it wrote. */
  get log(): string {
    return this.#log;
  }

  /** Ends it. @throws Error with its output when that takes too long. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill(signal);
    await within(END_MS, `${this.#name} to end`, this.#exited, () => this.#log);
  }
}
