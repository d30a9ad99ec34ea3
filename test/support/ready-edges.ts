import type { Topology } from "./topology.ts";

/** How often a balancer asks, in milliseconds. */
const CHECK_MS = 100;

/** What a load balancer's health checks know: which edges said lately that they are ready. */
export class ReadyEdges {
  readonly #topology: Topology;
  readonly #ready = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  /** `topology.ops` begins with the edges, in their order. */
  constructor(topology: Topology) {
    this.#topology = topology;
    this.#timer = setInterval(() => this.#check(), CHECK_MS);
  }

  /** Ports of the edges that are ready; of all edges while none is known to be. */
  get ports(): readonly number[] {
    const { edges } = this.#topology;
    const ready = edges.filter((edge) => this.#ready.has(edge));
    return (ready.length > 0 ? ready : edges).map((edge) => Number(new URL(edge).port));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #check(): void {
    const { edges, ops } = this.#topology;
    for (const [index, edge] of edges.entries()) {
      const signal = AbortSignal.timeout(CHECK_MS * 10);
      fetch(`${ops[index]}/readyz`, { signal }).then(
        ({ ok }) => (ok ? this.#ready.add(edge) : this.#ready.delete(edge)),
        () => this.#ready.delete(edge),
      );
    }
  }
}
