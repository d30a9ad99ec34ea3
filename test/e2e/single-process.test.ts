import { afterAll, beforeAll, describe } from "vitest";
import { NO_TRAFFIC_LIMITS, singleProcess } from "../support/topology.ts";
import { everyScenario } from "./scenarios/every-scenario.ts";

describe("one process", () => {
  const topology = singleProcess({ ...NO_TRAFFIC_LIMITS, HISTORY_MAX_MESSAGES: "20000", LOG_LEVEL: "debug" });
  beforeAll(() => topology.start());
  afterAll(() => topology.stop());

  everyScenario(topology);
});
