import { afterAll, beforeAll, describe } from "vitest";
import { Cluster } from "../support/cluster.ts";
import { JWT_ENV } from "../support/tokens.ts";
import { moderators } from "./scenarios/moderators.ts";
import { users } from "./scenarios/users.ts";

describe("1 NATS server, 2 RoomServices, 3 edges, with tokens for users", () => {
  const topology = new Cluster(JWT_ENV, { nats: 1 });
  beforeAll(() => topology.start(), 90_000);
  afterAll(() => topology.stop(), 30_000);

  users(topology);
  moderators(topology);
});
