import { afterAll, beforeAll, describe } from "vitest";
import { getNatsServers, type NatsServerBinary } from "../../scripts/get-nats-server.ts";
import { NATS_READY_MS, NatsServers } from "../support/nats-server.ts";
import { brokerContract } from "./broker-contract.ts";
import { NatsStorage } from "./nats-storage.ts";

const binaries = await getNatsServers(process.env);

for (const binary of binaries) contractOn(binary, 1);
// A cluster of the oldest takes a minute: half a second for every stream it creates.
for (const binary of process.env.TEST_FULL ? binaries : binaries.slice(-1)) contractOn(binary, 3);

function contractOn({ path, version }: NatsServerBinary, size: number): void {
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
