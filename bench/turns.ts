import type { RawClient } from "./raw-client.ts";

/** How many bytes should wait when a client is read from: well below what the kernel keeps. */
const TARGET_BYTES = 24 * 1024;
const TICK_MS = 5;
const LONGEST_CYCLE_MS = 1_000;
/** Clients a cycle begins with per millisecond, until it is known how much comes. */
const FIRST_CYCLE_CLIENTS_PER_MS = 20;

/**
 * Reads from many clients in turns, each only when something worth reading has come: a read costs the load as much as a
 * write costs the server, and the load must not become what is measured. The kernel keeps what comes meanwhile.
 */
export class Turns {
  readonly #clients: readonly RawClient[];
  readonly #timer: NodeJS.Timeout;
  #cycleMs = 0;
  #next = 0;
  #due = 0;
  #largest = 0;

  constructor(clients: readonly RawClient[]) {
    this.#clients = clients;
    for (const client of clients) client.pause();
    this.restart();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** More or less than so far may come from now on. */
  restart(): void {
    this.#cycleMs = Math.max(TICK_MS, this.#clients.length / FIRST_CYCLE_CLIENTS_PER_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    this.#due += (this.#clients.length * TICK_MS) / this.#cycleMs;
    for (; this.#due >= 1; this.#due--) {
      const client = this.#clients[this.#next];
      if (client) {
        this.#largest = Math.max(this.#largest, client.lastRead);
        client.readOnce();
      }
      this.#next++;
      if (this.#next >= this.#clients.length) this.#endCycle();
    }
  }

  #endCycle(): void {
    const change = Math.min(2, Math.max(0.5, TARGET_BYTES / Math.max(1, this.#largest)));
    this.#cycleMs = Math.min(LONGEST_CYCLE_MS, Math.max(TICK_MS, this.#cycleMs * change));
    this.#next = 0;
    this.#largest = 0;
  }
}
