import type { Edge, GetStatsResponse } from "../../../gen/baccarat/v1/admin_service_pb.ts";
import type { Api } from "./api.ts";
import { describeFailure, type Failure } from "./failure.ts";
import { lagOf } from "./lag.ts";
import { Samples } from "./samples.ts";
import { poll } from "./view.ts";

/** How often the server is asked, and how far back charts go, in milliseconds. */
const EVERY_MS = 2_000;
const SPAN_MS = 5 * 60_000;

/** The server's numbers at one time. */
export interface Measured {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly stats: GetStatsResponse;
  readonly edges: readonly Edge[];
}

/** What is measured of one run of an edge. */
export type EdgeMeasure = "connections" | "messages" | "lag";

/** Name of an edge's measure among the samples. */
export function edgeSeries(edge: Edge, measure: EdgeMeasure): string {
  return `${edge.incarnation} ${measure}`;
}

/** Asks for the server's numbers as long as the console is open, so that charts go on while something else is shown. */
export class Measures {
  readonly samples = new Samples({ spanMs: SPAN_MS, gapMs: 3 * EVERY_MS });
  readonly #api: Api;
  readonly #listeners = new Set<() => void>();
  #latest: Measured | undefined;
  #failure: Failure | undefined;

  constructor(options: { readonly api: Api; readonly signal: AbortSignal }) {
    this.#api = options.api;
    poll(EVERY_MS, options.signal, () => this.ask());
  }

  /** What was heard last; undefined before anything was. */
  get latest(): Measured | undefined {
    return this.#latest;
  }

  /** Why the latest question was not answered; undefined when it was. */
  get failure(): Failure | undefined {
    return this.#failure;
  }

  /** Hears of every answer, and every failure, until the signal. */
  listen(signal: AbortSignal, listener: () => void): void {
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener), { once: true });
  }

  /** Asks now; never rejects. */
  async ask(): Promise<void> {
    try {
      const [stats, { edges }] = await Promise.all([this.#api.admin.getStats({}), this.#api.admin.listEdges({})]);
      this.#latest = { at: Date.now(), stats, edges };
      this.#failure = undefined;
      this.samples.add({ at: this.#latest.at, values: valuesOf(this.#latest) });
    } catch (error) {
      this.#failure = describeFailure(error);
    }
    for (const listener of this.#listeners) listener();
  }
}

function valuesOf({ stats, edges }: Measured): Record<string, number> {
  const values: Record<string, number> = {
    connections: stats.clients,
    rooms: stats.rooms,
    messages: stats.eventsPerSecond,
    lag: lagOf(edges)?.meanMs ?? 0,
  };
  for (const edge of edges) {
    values[edgeSeries(edge, "connections")] = edge.connections;
    values[edgeSeries(edge, "messages")] = edge.traffic?.messagesPerSecond ?? 0;
    values[edgeSeries(edge, "lag")] = edge.traffic?.deliveryLagMs ?? 0;
  }
  return values;
}
