import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** Close codes that are counted by themselves; clients may send any number from 1000 to 4999. */
const COUNTED_CLOSES: ReadonlySet<number> = new Set([
  ...[1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011, 1012, 1013],
  ...[4001, 4002, 4003, 4004, 4005, 4006, 4500, 4501, 4503, 4504, 4505],
]);

const PUBLISH_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const RPC_SECONDS = [...PUBLISH_SECONDS, 10, 30];
const BATCH_SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];

/**
 * Everything that is counted, one line each. Labels have few values and never name a room or a user. Each process has
 * one; names in Prometheus are these with the prefix `baccarat_`.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #collectors = new Set<() => void>();

  readonly connections = this.#gauge("connections", "WebSocket connections held now.");
  readonly connectionsTotal = this.#counter("connections_total", "WebSocket connections accepted.");
  readonly refusedTotal = this.#counter("refused_total", "Upgrades refused, by HTTP status.", ["status"]);
  readonly eventLoopLagSeconds = this.#gauge(
    "event_loop_lag_seconds",
    "How late the event loop was on average in the last second.",
  );
  /** Use countClose. */
  readonly closesTotal = this.#counter("closes_total", "Connections closed, by close code.", ["code"]);
  readonly framesTotal = this.#counter("frames_total", "Frames received, by type and outcome (ok or error code).", [
    "type",
    "outcome",
  ]);
  readonly publishesTotal = this.#counter("publishes_total", "Events published, by outcome: ok, duplicate or error.", [
    "outcome",
  ]);
  readonly publishSeconds = this.#histogram("publish_seconds", "Time from publish to stored.", PUBLISH_SECONDS);
  readonly deliveriesTotal = this.#counter("deliveries_total", "Frames handed to connections by fan-out.");
  readonly fanoutBatch = this.#histogram("fanout_batch", "Events of a room written at once.", BATCH_SIZES);
  readonly deliveryLagSeconds = this.#histogram(
    "delivery_lag_seconds",
    "Time from an event's sending to its being written to this edge's members, by two clocks.",
    PUBLISH_SECONDS,
  );
  readonly outboxBytes = this.#gauge("outbox_bytes", "Bytes that wait for clients to read, all connections together.");
  readonly outboxOverflowsTotal = this.#counter("outbox_overflows_total", "Connections whose outbox was full.");
  readonly conflatedTotal = this.#counter(
    "conflated_total",
    "Events that members of a room were not given since a newer one of the same snapshot key took their place.",
  );
  readonly ephemeralDroppedTotal = this.#counter(
    "ephemeral_dropped_total",
    "Frames of typing and presence that members who were behind were not given, by the room's overload policy.",
  );
  readonly rateLimitedTotal = this.#counter(
    "rate_limited_total",
    "What came of clients that send too fast, by action: sockets paused, frames refused, connections closed.",
    ["action"],
  );
  readonly gapsTotal = this.#counter("gaps_total", "Holes found in the live feed of a room.");
  readonly refillsTotal = this.#counter("refills_total", "Holes read again, by outcome: ok or reset.", ["outcome"]);
  readonly recoveriesTotal = this.#counter("recoveries_total", "Joins with a position, by outcome.", ["outcome"]);
  readonly joinsTotal = this.#counter("joins_total", "Joins, by outcome (ok or error code).", ["outcome"]);
  readonly rpcTotal = this.#counter("rpc_total", "RPCs answered, by method and code.", ["method", "code"]);
  readonly rpcSeconds = this.#histogram("rpc_seconds", "Time from an RPC's arrival to its answer.", RPC_SECONDS);
  readonly watchers = this.#gauge("watchers", "WatchRoom streams open now.");
  readonly slowWatchersTotal = this.#counter("slow_watchers_total", "WatchRoom streams ended as they read too slowly.");
  readonly publishStreams = this.#gauge("publish_streams", "PublishStream streams open now.");
  readonly presenceTransitionsTotal = this.#counter(
    "presence_transitions_total",
    "Users who entered or left a room, by kind: entered or exited.",
    ["kind"],
  );
  readonly sweepsTotal = this.#counter(
    "sweeps_total",
    "Edges whose lease ended and whose members were taken out, by cause: drained, as after every stop, or lost.",
    ["cause"],
  );
  readonly ready = this.#gauge("ready", "1 while /readyz is green, 0 while it is red.");
  readonly warnings = this.#gauge("warnings", "What /readyz warns of now, in number.");
  readonly attached = this.#gauge("attached", "1 while this edge is attached to a RoomService, 0 while it is not.");
  readonly brokerUp = this.#gauge("broker_up", "1 while the broker can store, 0 while it cannot.");

  /**
   * @param options.process true adds the process's own numbers (CPU, memory, event loop lag), which observe the whole
   * process and so belong in one Metrics only. Default false.
   */
  constructor(options: { readonly process?: boolean } = {}) {
    // An increase from nothing at all is none to Prometheus: what alerts look for begins at 0.
    for (const cause of ["drained", "lost"]) this.sweepsTotal.inc({ cause }, 0);
    for (const outcome of ["ok", "reset"]) this.refillsTotal.inc({ outcome }, 0);
    if (options.process) collectDefaultMetrics({ register: this.#registry });
  }

  /** Has something counted before every render: what is known anyway need not be kept up to date. */
  onRender(collect: () => void): () => void {
    this.#collectors.add(collect);
    return () => void this.#collectors.delete(collect);
  }

  /** Counts a closed connection. */
  countClose(code: number): void {
    this.closesTotal.inc({ code: COUNTED_CLOSES.has(code) ? String(code) : "other" });
  }

  /** Everything, in the text format of Prometheus. */
  render(): Promise<{ readonly contentType: string; readonly text: string }> {
    for (const collect of this.#collectors) collect();
    return this.#registry.metrics().then((text) => ({ contentType: this.#registry.contentType, text }));
  }

  #counter<const L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return new Counter({ name: `baccarat_${name}`, help, labelNames, registers: [this.#registry] });
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name: `baccarat_${name}`, help, registers: [this.#registry] });
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name: `baccarat_${name}`, help, buckets, registers: [this.#registry] });
  }
}

/** What the supervisor of workers counts. What they count is shown beside it, under a label `worker`. */
export class SupervisorMetrics {
  readonly #registry = new Registry();
  readonly ready = this.#gauge("ready", "1 while /readyz is green, 0 while it is red.");
  readonly warnings = this.#gauge("warnings", "What /readyz warns of now, in number.");
  readonly workers = this.#gauge("workers", "Worker processes that run now.");
  readonly workerRestartsTotal = new Counter({
    name: "baccarat_worker_restarts_total",
    help: "Workers that ended or hung and were started again.",
    registers: [this.#registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.#registry });
  }

  /** As Metrics.render. */
  render(): Promise<{ readonly contentType: string; readonly text: string }> {
    return this.#registry.metrics().then((text) => ({ contentType: this.#registry.contentType, text }));
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name: `baccarat_${name}`, help, registers: [this.#registry] });
  }
}
