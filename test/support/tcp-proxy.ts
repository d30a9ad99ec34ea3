import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Which way bytes go: `up` to the target, `down` back to whoever connected. */
export type Direction = "up" | "down";

interface Pair {
  readonly client: Socket;
  readonly target: Socket;
  passed: number;
}

/**
 * A network that can be made to fail: forwards TCP connections to a target, and on demand delays, cuts, resets or
 * swallows what goes through. Faults hold for present and future connections until `heal`.
 */
export class TcpProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #swallowed = new Set<Direction>();
  #latencyMs = 0;
  #refusing = false;
  #cutAfter: number | undefined;
  #greeting: ((text: string) => string) | undefined;

  /** Listens on a free loopback port. */
  static async start(targetPort: number): Promise<TcpProxy> {
    const server = createServer({ noDelay: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new TcpProxy(server, targetPort);
  }

  private constructor(server: Server, targetPort: number) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (client) => this.#accept(client, targetPort));
  }

  /** Connections open now. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Delays everything by this much, each way. */
  delay(latencyMs: number): void {
    this.#latencyMs = latencyMs;
  }

  /** Black hole: bytes going this way vanish, connections stay. Both ways by default. */
  swallow(...directions: readonly Direction[]): void {
    for (const direction of directions.length > 0 ? directions : (["up", "down"] as const))
      this.#swallowed.add(direction);
  }

  /** Has targets greet otherwise: changes the first text that comes from them, in future connections. */
  greet(change: (text: string) => string): void {
    this.#greeting = change;
  }

  /** Resets every connection (RST). */
  reset(): void {
    for (const { client, target } of this.#pairs) {
      client.resetAndDestroy();
      target.resetAndDestroy();
    }
  }

  /** Resets the next connection, or the one now, once this many more bytes passed through it, both ways together. */
  cutAfter(bytes: number): void {
    this.#cutAfter = bytes;
    for (const pair of this.#pairs) pair.passed = 0;
  }

  /** Accepts no more: connections are reset at once, those open too. */
  refuse(): void {
    this.#refusing = true;
    this.reset();
  }

  /** Ends every fault. */
  heal(): void {
    this.#swallowed.clear();
    this.#latencyMs = 0;
    this.#refusing = false;
    this.#cutAfter = undefined;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.reset();
    await once(this.#server, "close");
  }

  #accept(client: Socket, targetPort: number): void {
    if (this.#refusing) {
      client.resetAndDestroy();
      return;
    }
    const target = connect({ port: targetPort, host: "127.0.0.1", noDelay: true });
    const pair: Pair = { client, target, passed: 0 };
    this.#pairs.add(pair);
    this.#forward(pair, client, target, "up");
    this.#forward(pair, target, client, "down");
    client.on("close", () => this.#pairs.delete(pair));
  }

  #forward(pair: Pair, from: Socket, to: Socket, direction: Direction): void {
    const pass = (act: () => void): void => {
      if (this.#latencyMs === 0) act();
      else setTimeout(act, this.#latencyMs);
    };
    let greeting = direction === "down" ? this.#greeting : undefined;
    from.on("data", (received: Buffer) => {
      if (this.#swallowed.has(direction)) return;
      const chunk = greeting === undefined ? received : Buffer.from(greeting(String(received)));
      greeting = undefined;
      const allowed = this.#allowed(pair, chunk.length);
      pass(() => to.write(chunk.subarray(0, allowed)));
      if (allowed === chunk.length) return;
      this.#cutAfter = undefined;
      // What was allowed must arrive, so the far end is closed rather than reset.
      pass(() => to.end());
      from.resetAndDestroy();
    });
    // A reset on one side is a reset on the other; the error says no more than the close that follows.
    from.on("error", () => to.destroy());
    from.on("close", () => pass(() => to.destroySoon()));
  }

  #allowed(pair: Pair, bytes: number): number {
    if (this.#cutAfter === undefined) return bytes;
    const allowed = Math.min(bytes, this.#cutAfter - pair.passed);
    pair.passed += allowed;
    return allowed;
  }
}
