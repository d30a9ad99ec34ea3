import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A load balancer as operators have one: connections go round robin to the edges that accept them. */
export class Balancer {
  readonly port: number;
  readonly #server: Server;
  readonly #targets: () => readonly number[];
  readonly #sockets = new Set<Socket>();
  #next = 0;

  /** Listens on a free loopback port; `targets` are the ports to choose from, asked for every connection. */
  static async start(targets: () => readonly number[]): Promise<Balancer> {
    const server = createServer({ noDelay: true, allowHalfOpen: true });
    server.listen(0, "127.0.0.1", 1_024);
    await once(server, "listening");
    return new Balancer(server, targets);
  }

  private constructor(server: Server, targets: () => readonly number[]) {
    this.#server = server;
    this.#targets = targets;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (client) => {
      const ports = this.#targets();
      this.#next++;
      this.#dial(client, [...ports.slice(this.#next % ports.length), ...ports.slice(0, this.#next % ports.length)]);
    });
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, "close");
  }

  #dial(client: Socket, ports: readonly number[]): void {
    const [port, ...rest] = ports;
    if (port === undefined) {
      client.resetAndDestroy();
      return;
    }
    const target = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    const refused = (): void => this.#dial(client, rest);
    target.once("error", refused);
    target.once("connect", () => {
      target.off("error", refused);
      this.#join(client, target);
      this.#join(target, client);
    });
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.pipe(to);
    // The close that follows an error says all there is to say.
    from.on("error", () => undefined);
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
