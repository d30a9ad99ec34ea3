import type { Config } from "../config.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { Ports } from "../listening.ts";
import type { Logger } from "../log.ts";
import { SupervisorMetrics } from "../metrics.ts";
import { startOpsServer } from "../ops-server.ts";
import { forkWorker } from "./fork.ts";
import { checkPort } from "./port-check.ts";
import { Supervisor } from "./supervisor.ts";

/** What workers are started with. */
export interface WorkersOptions {
  readonly config: Config;
  /** Id of the edge that they are together; each appends its number. */
  readonly edgeId: string;
  /** True where the system spreads connections over processes that listen on one port; else node:cluster does. */
  readonly reusePort: boolean;
  /** How long each may take to stop, in milliseconds. */
  readonly stopMs: number;
  readonly lifecycle: Lifecycle;
  readonly log: Logger;
  /** Given the supervisor before it starts anything, so that signals reach the workers from the beginning. */
  readonly onSupervisor: (supervisor: Supervisor) => void;
}

/**
 * Runs edges as processes of their own that share a port, and shows them to operators as one.
 * @throws WorkerFailed, and what keeps a port from being bound.
 */
export async function startWorkers(options: WorkersOptions): Promise<Ports> {
  const { config, edgeId, reusePort, stopMs, lifecycle, log } = options;
  const { edgeHost, edgePort, opsHost, opsPort } = config;
  if (edgePort !== 0) await checkPort({ host: edgeHost, port: edgePort });
  const metrics = new SupervisorMetrics();
  const supervisor = new Supervisor({
    workers: config.edgeWorkers,
    // With node:cluster a port is shared by those who ask for the same one, 0 included.
    fork: (number, port = edgePort) =>
      forkWorker({ EDGE_ID: `${edgeId}-${number}`, EDGE_PORT: String(reusePort ? port : edgePort) }),
    stopMs,
    metrics,
    log,
  });
  options.onSupervisor(supervisor);
  let started = false;
  const ops = await startOpsServer({
    host: opsHost,
    port: opsPort,
    metrics: { ready: metrics.ready, warnings: metrics.warnings, render: () => supervisor.render() },
    probes: [() => (lifecycle.stopping ? ["draining"] : supervisor.notReady())],
    warnings: [() => supervisor.warnings()],
    started: () => started,
  });
  lifecycle.onStop("ops server", () => ops.close());
  lifecycle.onStop("workers", () => supervisor.stop());
  const port = await supervisor.start();
  started = true;
  return { ops: ops.port, edge: port, rpc: undefined };
}
