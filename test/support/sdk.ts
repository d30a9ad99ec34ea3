import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { RoomClient, type RoomClientOptions } from "../../client/src/index.ts";
import { TestClient } from "./client.ts";
import { eventually } from "./eventually.ts";
import { TcpProxy } from "./tcp-proxy.ts";
import { NO_TRAFFIC_LIMITS, singleProcess } from "./topology.ts";

/** The product in one process, and what stands between it and the SDK. */
export interface SdkBench {
  /** Base URLs of the edge and of the RPC API. */
  readonly edge: string;
  readonly rpc: string;
  /** The network between the SDK and the edge; a new one for each test. */
  readonly proxy: TcpProxy;
  /** A client behind the proxy, which comes back without much delay; closed after the test. */
  connect(options?: RoomClientOptions): RoomClient;
  /** Somebody else, who is not behind the proxy. */
  other(): Promise<TestClient>;
}

/** Starts the product for a file of tests. */
export function useSdk(): SdkBench {
  const topology = singleProcess(NO_TRAFFIC_LIMITS);
  let proxy: TcpProxy | undefined;
  let clients: RoomClient[] = [];
  beforeAll(() => topology.start());
  afterAll(() => topology.stop());
  beforeEach(async () => {
    proxy = await TcpProxy.start(Number(new URL(topology.edges[0] ?? "").port));
  });
  afterEach(async () => {
    for (const client of clients) client.close();
    clients = [];
    await proxy?.close();
  });
  const bench: SdkBench = {
    get edge() {
      return topology.edges[0] ?? "";
    },
    get rpc() {
      return topology.rpcs[0] ?? "";
    },
    get proxy() {
      if (proxy === undefined) throw new Error("there is a proxy within tests only");
      return proxy;
    },
    connect(options = {}) {
      const client = new RoomClient(`ws://127.0.0.1:${bench.proxy.port}/ws`, {
        random: () => 0.05,
        requestTimeoutMs: 2_000,
        ...options,
      });
      clients.push(client);
      return client;
    },
    async other() {
      const client = await TestClient.connect(bench.edge);
      await client.next("welcome");
      return client;
    },
  };
  return bench;
}

/** Waits until a client is live. */
export function live(client: RoomClient): Promise<unknown> {
  return eventually("the client to be live", () => client.state.name === "live", { state: () => client.state });
}
