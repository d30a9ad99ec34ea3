import { afterAll, beforeAll, describe } from "vitest";
import { Cluster } from "../support/cluster.ts";
import { NO_TRAFFIC_LIMITS } from "../support/topology.ts";
import { everyScenario } from "./scenarios/every-scenario.ts";

describe("3 NATS servers, 2 RoomServices, 3 edges", () => {
  const topology = new Cluster({ ...NO_TRAFFIC_LIMITS, HISTORY_MAX_MESSAGES: "20000" });
  beforeAll(() => topology.start(), 90_000);
  afterAll(() => topology.stop(), 30_000);

  everyScenario(topology);
});
