import { describe, expect, it } from "vitest";
import { LogSampler, type Suppressed } from "../../../services/log-sampler.ts";

/** A sampler with a clock that is set by hand. */
function sampler() {
  const clock = { now: 1_000 };
  const suppressed: Suppressed[] = [];
  const made = new LogSampler({ onSuppressed: (one) => suppressed.push(one), now: () => clock.now });
  const admitted = (level: string, message: string, times: number): number =>
    Array.from({ length: times }, () => made.admits(level, message)).filter(Boolean).length;
  return { clock, suppressed, sampler: made, admitted };
}

describe("LogSampler", () => {
  it("admits so many of one level and text in a second, and counts what is over", () => {
    const { clock, suppressed, admitted } = sampler();
    expect(admitted("info", "a", 10)).toBe(10);
    expect(admitted("info", "a", 3)).toBe(0);
    expect(admitted("info", "b", 11)).toBe(10);
    expect(admitted("warn", "a", 21)).toBe(20);
    expect(admitted("debug", "a", 999)).toBe(999);
    expect(suppressed).toEqual([]);
    clock.now += 1_000;
    expect(admitted("info", "a", 1)).toBe(1);
    expect(suppressed).toEqual([
      { level: "info", message: "a", count: 3 },
      { level: "info", message: "b", count: 1 },
      { level: "warn", message: "a", count: 1 },
    ]);
  });

  it("says a number once", () => {
    const { suppressed, sampler: made, admitted } = sampler();
    admitted("info", "a", 12);
    made.flush();
    made.flush();
    expect(suppressed).toHaveLength(1);
    expect(admitted("info", "a", 1)).toBe(1);
  });
});
