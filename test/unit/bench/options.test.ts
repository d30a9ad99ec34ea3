import { describe, expect, it } from "vitest";
import { parseOptions } from "../../../bench/options.ts";

const KNOWN = ["fan-out", "idle"];
const parse = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  parseOptions(args, env, KNOWN, "results.json");

describe("what to measure", () => {
  it("is everything, five rounds of it, and stored", () => {
    expect(parse([])).toEqual({ cases: KNOWN, out: "results.json", plan: { rounds: 5, seconds: 3, quick: false } });
  });

  it("is what is named, for as long as the environment says", () => {
    const env = { BENCH_ROUNDS: "7", BENCH_SECONDS: "0.5" };
    expect(parse(["idle", "--out", "other.json"], env)).toEqual({
      cases: ["idle"],
      out: "other.json",
      plan: { rounds: 7, seconds: 0.5, quick: false },
    });
  });

  it("is short when quick, and then not stored unless it is said where", () => {
    expect(parse(["--quick"])).toEqual({
      cases: KNOWN,
      out: undefined,
      plan: { rounds: 1, seconds: 0.3, quick: true },
    });
    expect(parse(["--quick", "--out", "q.json"]).out).toBe("q.json");
  });

  it("must be known, and its numbers must be numbers", () => {
    expect(() => parse(["fanout"])).toThrow("there is no case fanout; there are fan-out, idle");
    expect(() => parse([], { BENCH_ROUNDS: "many" })).toThrow("BENCH_ROUNDS must be a number above 0, not many");
    expect(() => parse(["--fast"])).toThrow("--fast");
  });
});
