import { afterAll, beforeAll, describe } from "vitest";
import { JWT_ENV } from "../support/tokens.ts";
import { NO_TRAFFIC_LIMITS, singleProcess, type Topology } from "../support/topology.ts";
import { access, CLOSED } from "./scenarios/access.ts";
import { limits, SMALL_LIMITS } from "./scenarios/limits.ts";
import { moderators } from "./scenarios/moderators.ts";
import { outcasts } from "./scenarios/outcasts.ts";
import { restart } from "./scenarios/restart.ts";
import { slowReader } from "./scenarios/slow-reader.ts";
import { USERS, users } from "./scenarios/users.ts";

const moderatorsAndOutcasts = (topology: Topology): void => {
  moderators(topology);
  outcasts(topology);
};

const runs: readonly (readonly [string, Topology, (topology: Topology) => void])[] = [
  ["with tokens for services", singleProcess(CLOSED), access],
  ["with small limits", singleProcess(SMALL_LIMITS), limits],
  ["with tokens for users", singleProcess(USERS), users],
  ["with tokens for moderators", singleProcess(JWT_ENV), moderatorsAndOutcasts],
  ["with clients that do not read", singleProcess(NO_TRAFFIC_LIMITS), slowReader],
  ["killed and stopped", singleProcess({ ...NO_TRAFFIC_LIMITS, HISTORY_MAX_MESSAGES: "20000" }), restart],
];

describe.each(runs)("one process %s", (_, topology, scenarios) => {
  beforeAll(() => topology.start());
  afterAll(() => topology.stop());
  scenarios(topology);
});
