import { describe, expect, it } from "vitest";
import { CLOSE_CODES, departure } from "../../../edge/close-codes.ts";
import { REASONS } from "../../../services/errors.ts";

describe("close codes", () => {
  const rows = Object.entries(CLOSE_CODES);

  it.each(rows.filter(([, row]) => row.code >= 4000))("%s says by its number whether to come back", (name, row) => {
    expect(row.reconnect).toBe(row.code < 4500);
    expect(row.reason).toBe(name);
  });

  it("has no number twice, and no reason a close frame cannot hold", () => {
    expect(new Set(rows.map(([, row]) => row.code)).size).toBe(rows.length);
    for (const [, row] of rows) expect(Buffer.byteLength(row.reason)).toBeLessThanOrEqual(123);
  });

  it("agrees with the registry of errors", () => {
    expect(REASONS.bad_frame.close).toBe(CLOSE_CODES.bad_frames.code);
    expect(REASONS.unauthenticated.close).toBe(CLOSE_CODES.unauthenticated.code);
    expect(REASONS.rate_limited.close).toBe(CLOSE_CODES.rate_limited.code);
  });
});

describe("departure", () => {
  it.each([1000, 1005])("%i is a goodbye", (code) => {
    expect(departure(code)).toEqual({ reason: "left", grace: false });
  });

  it.each([4500, 4501, 4503, 4504, 4505, 4599])("%i ends memberships at once", (code) => {
    expect(departure(code)).toEqual({ reason: "disconnected", grace: false });
  });

  it.each([1001, 1002, 1006, 1009, 1011, 1012, 3000, 4000, 4001, 4002, 4499, 4600])("%i may come back", (code) => {
    expect(departure(code)).toEqual({ reason: "disconnected", grace: true });
  });
});
