import { assert, property, string } from "fast-check";
import { describe, expect, it } from "vitest";
import { characters, DEFAULT_LIMITS, FIXED, LIMIT_TABLE } from "../../../services/limits.ts";

describe("LIMIT_TABLE", () => {
  it.each(Object.entries(LIMIT_TABLE))("%s has a default within its bounds and no way to be unlimited", (_, row) => {
    expect(row.min).toBeGreaterThan(0);
    expect(row.default).toBeGreaterThanOrEqual(row.min);
    expect(row.default).toBeLessThanOrEqual(row.max);
    expect(Number.isSafeInteger(row.max)).toBe(true);
  });

  it("is where the documented defaults stand", () => {
    expect(DEFAULT_LIMITS).toMatchObject({
      maxFrameBytes: 65_536,
      messagesPerSecond: 20,
      messageBurst: 40,
      maxConnectionsPerIp: 1_000,
      maxConnectionsPerUser: 20,
      maxRoomsPerConnection: 128,
    });
    expect(Object.isFrozen(DEFAULT_LIMITS)).toBe(true);
  });
});

describe("FIXED", () => {
  it("fits together", () => {
    expect(FIXED.heartbeatTimeoutMs).toBeGreaterThan(2 * FIXED.heartbeatMs);
    expect(FIXED.leaseMs).toBeGreaterThan(3 * FIXED.leaseRenewMs);
    expect(FIXED.membersShownAgain).toBeLessThan(FIXED.membersShown);
    expect(FIXED.historyDefault).toBeLessThanOrEqual(FIXED.historyEvents);
    expect(FIXED.customEventBytes).toBeLessThan(LIMIT_TABLE.maxFrameBytes.default);
    expect(FIXED.historyBytes).toBeLessThan(FIXED.rpcBytes);
  });
});

describe("characters", () => {
  it.each([
    ["", 0],
    ["abc", 3],
    ["é", 1],
    ["e\u0301", 2],
    ["🂡", 1],
    ["🂡🂢", 2],
    ["a🂡b", 3],
    ["\ud83c", 1],
    ["\udca1", 1],
    ["\ud83c\ud83c\udca1", 2],
    ["\udca1\ud83c", 2],
    ["👩‍👧", 3],
  ])("%j has %i", (text, count) => expect(characters(text)).toBe(count));

  it("counts as iteration does", () => {
    assert(
      property(string({ unit: "binary" }), (text) => {
        expect(characters(text)).toBe([...text].length);
      }),
    );
  });
});
