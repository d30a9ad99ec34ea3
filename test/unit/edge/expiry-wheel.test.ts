import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Expiring, ExpiryWheel } from "../../../edge/expiry-wheel.ts";

let wheel: ExpiryWheel;
let ended: string[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "Date"], now: 1_000_000 });
  wheel = new ExpiryWheel();
  ended = [];
});
afterEach(() => {
  wheel.close();
  vi.useRealTimers();
});

const item = (name: string): Expiring => ({ onExpired: () => void ended.push(name) });

describe("an expiry wheel", () => {
  it("ends each at its time, within a second, and never before", () => {
    wheel.set(item("b"), Date.now() + 2_500);
    wheel.set(item("a"), Date.now() + 1_000);
    vi.advanceTimersByTime(999);
    expect(ended).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(ended).toEqual(["a"]);
    vi.advanceTimersByTime(1_499);
    expect(ended).toEqual(["a"]);
    vi.advanceTimersByTime(1_000);
    expect(ended).toEqual(["a", "b"]);
  });

  it("ends what is overdue with the next tick", () => {
    wheel.set(item("late"), Date.now() - 60_000);
    vi.advanceTimersByTime(1_000);
    expect(ended).toEqual(["late"]);
  });

  it("goes by the time that was set last", () => {
    const a = item("a");
    wheel.set(a, Date.now() + 1_000);
    wheel.set(a, Date.now() + 5_000);
    vi.advanceTimersByTime(4_999);
    expect(ended).toEqual([]);
    vi.advanceTimersByTime(1_000);
    expect(ended).toEqual(["a"]);
  });

  it("forgets what was deleted, and whose end was another's doing", () => {
    const [a, b, c] = [item("a"), item("b"), item("c")];
    for (const one of [a, b, c]) wheel.set(one, Date.now() + 1_000);
    wheel.delete(b);
    wheel.set({ onExpired: () => wheel.delete(c) }, Date.now() + 1_000);
    vi.advanceTimersByTime(2_000);
    expect(ended).toEqual(["a", "c"]);
    wheel.delete(a);
  });

  it("notices a clock that was set forward", () => {
    wheel.set(item("a"), Date.now() + 3_600_000);
    vi.setSystemTime(Date.now() + 86_400_000);
    vi.advanceTimersByTime(1_000);
    expect(ended).toEqual(["a"]);
  });
});
