/** What a worker tells of itself, again and again. */
export interface WorkerState {
  /** Everything of it was started once. */
  readonly started: boolean;
  /** Port its clients connect to; absent until it listens. */
  readonly port?: number;
  /** Why it should get no clients; empty when it is ready. */
  readonly reasons: readonly string[];
  /** What an operator should know though it is ready. */
  readonly warnings: readonly string[];
}

/** What a worker says to its supervisor. */
export type FromWorker =
  | ({ readonly type: "state" } & WorkerState)
  | { readonly type: "metrics"; readonly id: number; readonly text: string };

/** What a supervisor says to a worker. */
export type ToWorker = { readonly type: "stop" } | { readonly type: "metrics"; readonly id: number };

/** How often a worker tells its state, and a supervisor looks for those that do not, in milliseconds. */
export const TICK_MS = 1_000;
