import { afterAll, beforeAll, describe } from "vitest";
import { getNatsServers } from "../../scripts/get-nats-server.ts";
import { NATS_READY_MS, NatsServers } from "../support/nats-server.ts";
import { brokerContract } from "./broker-contract.ts";
import { NatsStorage } from "./nats-storage.ts";

const binaries = await getNatsServers(process.env);

for (const { path, version } of binaries) {
  for (const size of [1, 3]) {
    describe(`nats-server ${version}, ${size === 1 ? "alone" : `a cluster of ${size}`}`, () => {
      let servers: NatsServers | undefined;

      beforeAll(async () => {
        servers = await NatsServers.start({ path, size });
      }, NATS_READY_MS);

      afterAll(() => servers?.stop());

      brokerContract({
        name: "nats",
        shared: true,
        shortAgeMs: 1_000,
        createStorage: async () => {
          if (servers === undefined) throw new Error("the servers did not start");
          return new NatsStorage(servers);
        },
      });
    });
  }
}
