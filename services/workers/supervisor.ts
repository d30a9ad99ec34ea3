import { backoffMs } from "../backoff.ts";
import type { Logger } from "../log.ts";
import type { SupervisorMetrics } from "../metrics.ts";
import type { WorkerExit, WorkerProcess } from "./fork.ts";
import { mergeMetrics } from "./merged-metrics.ts";
import { TICK_MS, type WorkerState } from "./messages.ts";

/** What a Supervisor needs. */
export interface SupervisorOptions {
  /** How many workers to keep running. */
  readonly workers: number;
  /** Starts worker `number`, counted from 1; `port` is the one the first has chosen, undefined before that. */
  readonly fork: (number: number, port: number | undefined) => WorkerProcess;
  /** How long workers may take to stop before they are killed, in milliseconds. */
  readonly stopMs: number;
  readonly metrics: SupervisorMetrics;
  readonly log: Logger;
  /** How long a worker that ended is waited for, as for backoffMs. Default: at most 0.5 s, doubling up to 30 s. */
  readonly restart?: { readonly baseMs: number; readonly maxMs: number };
  /** How often workers are looked after, in milliseconds. Default TICK_MS. */
  readonly tickMs?: number;
}

/** The first worker ended before it listened: what it said on stderr is why, and it would be the same for the others. */
export class WorkerFailed extends Error {}

interface Slot {
  readonly number: number;
  process: WorkerProcess | undefined;
  state: WorkerState | undefined;
  /** Times it ended without having run for STABLE_MS. */
  failures: number;
  /** Ticks since it last told its state. They stand still when this process does. */
  silent: number;
  restart: NodeJS.Timeout | undefined;
  readonly up: PromiseWithResolvers<void>;
}

const RESTART = { baseMs: 500, maxMs: 30_000 };
/** A worker that ran for so long did not end because of how it was started. */
const STABLE_MS = 60_000;
/** Ticks without a word after which a worker is not counted on … */
const SILENT_TICKS = 5;
/** … and after which it is killed: what a process that hangs is restarted for elsewhere. */
const HUNG_TICKS = 60;

/** Keeps workers running: starts again those that end or hang, tells how they are, and stops them all. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #slots: readonly Slot[];
  readonly #timer: NodeJS.Timeout;
  #port: number | undefined;
  #stopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.workers }, (_, index) => ({
      number: index + 1,
      process: undefined,
      state: undefined,
      failures: 0,
      silent: 0,
      restart: undefined,
      up: Promise.withResolvers<void>(),
    }));
    this.#timer = setInterval(() => this.#tick(), options.tickMs ?? TICK_MS);
  }

  /**
   * Starts the first worker and, on the port it has, the others. Resolves with the port once all were up.
   * @throws WorkerFailed
   */
  async start(): Promise<number> {
    const [first, ...others] = this.#slots;
    if (first === undefined) throw new RangeError("there must be a worker");
    const failed = this.#run(first).exited.then(({ code, signal }) => {
      throw new WorkerFailed(`worker 1 ended (${code ?? signal}) before it listened`);
    });
    await Promise.race([first.up.promise, failed]);
    // From here on it is one that runs, and ends like any other.
    failed.catch(() => undefined);
    for (const slot of others) this.#run(slot);
    await Promise.all(others.map(({ up }) => up.promise));
    return this.#port ?? 0;
  }

  /** Why no client should be sent here: nothing as long as one worker is ready, since the others take nobody in. */
  notReady(): readonly string[] {
    const reasons = this.#reasons();
    return reasons.length < this.#slots.length ? [] : reasons;
  }

  /** What an operator should know though a worker is ready: which are not, and what they warn of. */
  warnings(): readonly string[] {
    const own = this.#slots.flatMap(({ state }) => state?.warnings ?? []);
    return this.notReady().length > 0 ? own : [...this.#reasons(), ...own];
  }

  /** Numbers of all, in the text format of Prometheus; without those of workers that do not answer. */
  async render(): Promise<{ readonly contentType: string; readonly text: string }> {
    const { metrics } = this.#options;
    metrics.workers.set(this.#slots.filter(({ process }) => process !== undefined).length);
    const own = await metrics.render();
    const theirs = await Promise.all(
      this.#slots.map(async ({ number, process }) => ({ worker: number, text: (await process?.metrics()) ?? "" })),
    );
    return { ...own, text: mergeMetrics([{ worker: undefined, text: own.text }, ...theirs]) };
  }

  /** Sends a signal to every worker. */
  signal(name: "SIGUSR2"): void {
    for (const { process } of this.#slots) process?.signal(name);
  }

  /** Stops all workers and starts none again. @throws Error when one of them failed at that or had to be killed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#timer);
    for (const slot of this.#slots) clearTimeout(slot.restart);
    const running = this.#slots.flatMap(({ process }) => process ?? []);
    for (const { process, state } of this.#slots) {
      // Who has not said anything yet does not listen either.
      if (state === undefined) process?.signal("SIGTERM");
      else process?.stop();
    }
    const late = setTimeout(() => {
      for (const { process } of this.#slots) process?.signal("SIGKILL");
    }, this.#options.stopMs);
    const exits = await Promise.all(running.map(({ exited }) => exited));
    clearTimeout(late);
    const failures = exits.flatMap(({ code, signal }) => (code === 0 || signal === "SIGTERM" ? [] : [code ?? signal]));
    if (failures.length > 0) throw new Error(`workers did not stop as they should: ${failures.join(", ")}`);
  }

  /** Why a worker gets no clients, for each that does not. */
  #reasons(): readonly string[] {
    return this.#slots.flatMap(({ number, process, state, silent }) => {
      const name = `worker ${number}`;
      if (process === undefined) return [`${name}: does not run`];
      if (state?.started !== true) return [`${name}: starting`];
      if (silent > SILENT_TICKS) return [`${name}: it does not answer`];
      return state.reasons.length > 0 ? [`${name}: ${state.reasons.join(", ")}`] : [];
    });
  }

  #run(slot: Slot): WorkerProcess {
    const { fork, log } = this.#options;
    const startedAt = performance.now();
    const started = fork(slot.number, this.#port);
    slot.process = started;
    slot.silent = 0;
    log.info({ worker: slot.number, pid: started.pid }, "worker started");
    started.onState((state) => {
      slot.state = state;
      slot.silent = 0;
      if (!state.started) return;
      this.#port ??= state.port;
      slot.up.resolve();
    });
    void started.exited.then((exit) => this.#onExit(slot, started, exit, performance.now() - startedAt));
    return started;
  }

  #onExit(slot: Slot, { pid }: WorkerProcess, { code, signal }: WorkerExit, livedMs: number): void {
    slot.process = undefined;
    slot.state = undefined;
    if (this.#stopping || this.#port === undefined) return;
    const { restart = RESTART, metrics, log } = this.#options;
    if (livedMs >= STABLE_MS) slot.failures = 0;
    const waitMs = backoffMs(slot.failures++, restart);
    metrics.workerRestartsTotal.inc();
    log.warn(
      { worker: slot.number, pid, code, signal, waitMs: Math.round(waitMs) },
      "a worker ended; starting another",
    );
    slot.restart = setTimeout(() => this.#run(slot), waitMs);
  }

  #tick(): void {
    for (const slot of this.#slots) {
      slot.silent++;
      if (slot.process === undefined || slot.silent < HUNG_TICKS) continue;
      this.#options.log.error({ worker: slot.number, pid: slot.process.pid }, "a worker hangs: killing it");
      slot.silent = 0;
      slot.process.signal("SIGKILL");
    }
  }
}
