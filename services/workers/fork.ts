import cluster from "node:cluster";
import type { FromWorker, ToWorker, WorkerState } from "./messages.ts";

/** How a worker ended: by itself with a code, or by a signal. */
export interface WorkerExit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A worker, as its supervisor has it. */
export interface WorkerProcess {
  readonly pid: number;
  readonly exited: Promise<WorkerExit>;
  /** Hears its state, from now on. */
  onState(listener: (state: WorkerState) => void): void;
  /** Its numbers, in the text format of Prometheus; undefined when it does not answer in time. */
  metrics(): Promise<string | undefined>;
  /** Has it send its clients elsewhere and end. */
  stop(): void;
  signal(name: "SIGKILL" | "SIGTERM" | "SIGUSR2"): void;
}

/** How long a worker may take to say its numbers, in milliseconds. */
const METRICS_MS = 2_000;

/** Starts this program once more, with other settings. It ends when this process does. */
export function forkWorker(env: Readonly<Record<string, string>>): WorkerProcess {
  const worker = cluster.fork(env);
  const exited = Promise.withResolvers<WorkerExit>();
  const asked = new Map<number, (text: string | undefined) => void>();
  let lastId = 0;
  let onState: (state: WorkerState) => void = () => undefined;
  const say = (message: ToWorker): void => {
    // Whether it was heard shows by the answer.
    if (worker.isConnected()) worker.send(message, () => undefined);
  };
  worker.on("message", (message: FromWorker) => {
    if (message.type === "state") onState(message);
    else asked.get(message.id)?.(message.text);
  });
  // A process that could not be started says so here, and never exits.
  worker.on("error", () => worker.process.pid === undefined && exited.resolve({ code: 1, signal: null }));
  worker.on("exit", (code: number | null, signal: string | null) => exited.resolve({ code, signal }));
  void exited.promise.then(() => {
    for (const answer of asked.values()) answer(undefined);
  });
  return {
    pid: worker.process.pid ?? 0,
    exited: exited.promise,
    onState(listener) {
      onState = listener;
    },
    async metrics() {
      const id = ++lastId;
      const { promise, resolve } = Promise.withResolvers<string | undefined>();
      const timer = setTimeout(() => resolve(undefined), METRICS_MS);
      asked.set(id, resolve);
      say({ type: "metrics", id });
      try {
        return await promise;
      } finally {
        clearTimeout(timer);
        asked.delete(id);
      }
    },
    stop: () => say({ type: "stop" }),
    signal: (name) => void worker.process.kill(name),
  };
}
