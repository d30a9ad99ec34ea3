import { create, toBinary } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import type { ControlStore } from "../broker/broker.ts";
import { type EdgeTraffic, EdgeTrafficSchema } from "../gen/baccarat/v1/admin_service_pb.ts";
import { controlKeys } from "../services/control-keys.ts";
import { FIXED } from "../services/limits.ts";
import type { Logger } from "../services/log.ts";
import type { Metrics } from "../services/metrics.ts";

/** What traffic reports need. */
export interface TrafficOptions {
  readonly control: ControlStore;
  readonly incarnation: string;
  /** Where the edge counts. */
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** Counts since the process began. */
interface Totals {
  readonly atMs: number;
  readonly messages: number;
  readonly deliveries: number;
  readonly lag: Lag;
}

/** A histogram of lag: how many events, their sum in seconds, and how many within each bound, rising. */
interface Lag {
  readonly count: number;
  readonly seconds: number;
  readonly within: ReadonlyMap<number, number>;
}

/**
 * Says for operators what this run of the edge does, from what it counts anyway, as often as it renews its lease. The two
 * are apart so that the lease never waits for this; what cannot be said is left out.
 */
export class Traffic {
  readonly #options: TrafficOptions;
  readonly #timer: NodeJS.Timeout;
  #last: Totals | undefined;
  #reporting = false;
  /** Nothing happened, and it was said. */
  #quiet = false;

  constructor(options: TrafficOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.report(), FIXED.leaseRenewMs);
  }

  /** Says what happened since the last time, unless there is nothing new to say; never rejects. */
  async report(): Promise<void> {
    if (this.#reporting) return;
    this.#reporting = true;
    const { control, incarnation, metrics, log } = this.#options;
    try {
      const totals = await readTotals(metrics);
      const traffic = between(this.#last ?? totals, totals);
      this.#last = totals;
      const quiet = traffic.messagesPerSecond === 0 && traffic.deliveriesPerSecond === 0;
      if (quiet && this.#quiet) return;
      await control.put(controlKeys.traffic(incarnation), toBinary(EdgeTrafficSchema, traffic));
      this.#quiet = quiet;
    } catch (error) {
      log.debug({ err: error }, "the traffic could not be reported");
    } finally {
      this.#reporting = false;
    }
  }

  /** Reports no more; what was said goes with the lease. */
  close(): void {
    clearInterval(this.#timer);
  }
}

async function readTotals(metrics: Metrics): Promise<Totals> {
  const [frames, deliveries, lag] = await Promise.all([
    metrics.framesTotal.get(),
    metrics.deliveriesTotal.get(),
    metrics.deliveryLagSeconds.get(),
  ]);
  const sent = frames.values.filter(({ labels }) => labels.type === "send_message" && labels.outcome === "ok");
  const ofLag = (suffix: string) => lag.values.filter(({ metricName }) => metricName?.endsWith(suffix));
  return {
    atMs: performance.now(),
    messages: sum(sent),
    deliveries: sum(deliveries.values),
    lag: {
      count: sum(ofLag("_count")),
      seconds: sum(ofLag("_sum")),
      within: new Map(ofLag("_bucket").map(({ labels, value }) => [Number(labels.le), value])),
    },
  };
}

/** What happened between two readings. */
function between(earlier: Totals, later: Totals): EdgeTraffic {
  const seconds = (later.atMs - earlier.atMs) / 1_000;
  const rate = (count: number): number => (seconds > 0 ? count / seconds : 0);
  const events = later.lag.count - earlier.lag.count;
  const mean = events === 0 ? 0 : (later.lag.seconds - earlier.lag.seconds) / events;
  return create(EdgeTrafficSchema, {
    reportTime: timestampNow(),
    messagesPerSecond: rate(later.messages - earlier.messages),
    deliveriesPerSecond: rate(later.deliveries - earlier.deliveries),
    deliveryLagMs: mean * 1_000,
    deliveryLagP99Ms: 1_000 * quantile(0.99, events, later.lag, earlier.lag),
  });
}

/** Seconds within which a share of the events were, as far as the bounds tell: between two of them by their distance. */
function quantile(share: number, events: number, later: Lag, earlier: Lag): number {
  if (events === 0) return 0;
  let [below, known] = [0, 0];
  for (const [bound, value] of later.within) {
    const count = value - (earlier.within.get(bound) ?? 0);
    // Beyond the last bound nothing is known but that it was more.
    if (count >= share * events && Number.isFinite(bound)) {
      return below + ((bound - below) * (share * events - known)) / (count - known);
    }
    if (Number.isFinite(bound)) [below, known] = [bound, count];
  }
  return below;
}

function sum(values: readonly { readonly value: number }[]): number {
  return values.reduce((total, { value }) => total + value, 0);
}
