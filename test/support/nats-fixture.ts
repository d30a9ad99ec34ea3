import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { type NatsBroker, type NatsOptions, openNatsBroker } from "../../broker/nats.ts";
import { NatsNames } from "../../broker/subjects.ts";
import { getNatsServer, type NatsServerBinary } from "../../scripts/get-nats-server.ts";
import { createLog, type Logger } from "../../services/log.ts";
import { NATS_READY_MS, NatsServers } from "./nats-server.ts";
import { TcpProxy } from "./tcp-proxy.ts";

/** Limits that no test reaches unless it says so. */
export const GENEROUS = { maxMessages: 100_000, maxAgeMs: 3_600_000, maxBytes: 1024 ** 3 };

/** Real servers for the tests of a describe, and what tests open on them, which is closed after each. */
export interface NatsFixture {
  readonly servers: NatsServers;
  /** Names of this test's streams and subjects. */
  readonly names: NatsNames;
  /** Lines the brokers of this test logged. */
  readonly lines: readonly Record<string, unknown>[];
  readonly log: Logger;
  /** Opens a broker as roles room and all do, on a log of this test's own. */
  open(options?: Partial<NatsOptions>): Promise<NatsBroker>;
  /** A network to the first server that can be made to fail. */
  proxy(): Promise<TcpProxy>;
  /** Has this done after the test. */
  onEnd(end: () => unknown): void;
}

let tests = 0;

/** Starts servers once for the enclosing describe. `binary` is the first to be had by default. */
export function useNats(options: {
  readonly size: number;
  readonly binary?: NatsServerBinary;
  /** Lines of configuration. */
  readonly config?: string;
}): NatsFixture {
  const ends: (() => unknown)[] = [];
  const lines: Record<string, unknown>[] = [];
  const log = createLog({ level: "debug", output: { write: (line) => lines.push(JSON.parse(line)) } });
  let servers: NatsServers | undefined;
  let prefix = "";
  beforeAll(async () => {
    const binary = options.binary ?? (await getNatsServer(process.env));
    servers = await NatsServers.start({ path: binary.path, size: options.size, config: options.config ?? "" });
  }, NATS_READY_MS);
  afterAll(() => servers?.stop());
  beforeEach(() => {
    prefix = `test${++tests}`;
    lines.length = 0;
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });
  return {
    get servers() {
      if (servers === undefined) throw new Error("the servers did not start");
      return servers;
    },
    get names() {
      return new NatsNames(prefix);
    },
    lines,
    log,
    async open(more = {}) {
      const base = { servers: this.servers.urls, prefix, retention: GENEROUS, owner: true, log };
      const broker = await openNatsBroker({ ...base, ...more });
      ends.push(() => broker.close());
      return broker;
    },
    async proxy() {
      const port = Number(this.servers.nodes[0]?.url.split(":")[1]);
      const proxy = await TcpProxy.start(port);
      ends.push(() => proxy.close());
      return proxy;
    },
    onEnd: (end) => ends.push(end),
  };
}

/** Address of a proxy, for a broker. */
export function through(proxy: TcpProxy): string[] {
  return [`127.0.0.1:${proxy.port}`];
}
