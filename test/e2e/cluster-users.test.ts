import { afterAll, beforeAll, describe } from "vitest";
import { Cluster } from "../support/cluster.ts";
import { moderators } from "./scenarios/moderators.ts";
import { outcasts } from "./scenarios/outcasts.ts";
import { USERS, users } from "./scenarios/users.ts";

describe("1 NATS server, 2 RoomServices, 3 edges, with tokens for users", () => {
  const topology = new Cluster(USERS, { nats: 1 });
  beforeAll(() => topology.start(), 90_000);
  afterAll(() => topology.stop(), 30_000);

  users(topology);
  moderators(topology);
  outcasts(topology);
});
