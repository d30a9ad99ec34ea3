import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Timers } from "../../../edge/timers.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("timers", () => {
  it("call back once or again and again, until they are closed", () => {
    const timers = new Timers();
    const called: string[] = [];
    timers.after(100, () => called.push("once"));
    timers.after(300, () => called.push("late"));
    timers.every(90, () => called.push("again"));
    vi.advanceTimersByTime(200);
    timers.close();
    timers.close();
    vi.advanceTimersByTime(1_000);
    expect(called).toEqual(["again", "once", "again"]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
