import { describe, expect, it } from "vitest";
import { isOlder, judgeNatsVersion } from "../../../services/nats-version.ts";

describe("isOlder", () => {
  it.each([
    ["2.9.10", "2.12.0", true],
    ["2.12.0", "2.12.0", false],
    ["2.12.0-RC.1", "2.12.0", false],
    ["2.15.2", "2.12.0", false],
    ["3.0.0", "2.12.0", false],
  ])("%s than %s: %s", (version, than, older) => expect(isOlder(version, than)).toBe(older));
});

describe("judgeNatsVersion", () => {
  const inCluster = (version: string, minimum: string) => judgeNatsVersion({ version, clustered: true }, minimum);

  it("warns of old servers in a cluster", () => {
    for (const version of ["2.9.10", "2.9.25", "2.11.17"]) {
      expect(inCluster(version, "2.9.10")).toEqual({
        state: "warning",
        text: `nats-server ${version} has known faults in a cluster: 2.12.0 or newer is recommended`,
      });
    }
    for (const version of ["2.12.0", "2.15.2", "3.0.0"]) expect(inCluster(version, "2.9.10")).toBeUndefined();
  });

  it("finds those unfit that are older than a cluster may have", () => {
    expect(inCluster("2.9.10", "2.12.0")).toEqual({
      state: "failure",
      text: "nats-server 2.9.10 is too old for a cluster: NATS_MIN_CLUSTER_VERSION is 2.12.0",
    });
    expect(inCluster("2.12.0", "2.12.0")).toBeUndefined();
    expect(inCluster("2.12.3", "2.14.0")?.state).toBe("failure");
    expect(inCluster("2.11.0", "2.10.0")?.state).toBe("warning");
  });

  it("asks less of a server alone, but not nothing", () => {
    expect(judgeNatsVersion({ version: "2.9.10", clustered: false }, "2.12.0")).toBeUndefined();
    for (const clustered of [true, false]) {
      expect(judgeNatsVersion({ version: "2.9.9", clustered }, "2.12.0")).toEqual({
        state: "failure",
        text: "nats-server 2.9.9 is too old: 2.9.10 or newer is needed",
      });
    }
  });
});
