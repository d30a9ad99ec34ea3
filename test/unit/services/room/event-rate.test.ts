import { describe, expect, it } from "vitest";
import { EventRate } from "../../../../services/room/event-rate.ts";

describe("the rate of events", () => {
  it("is the mean of the last five whole seconds", () => {
    let now = 10_900;
    const rate = new EventRate({ now: () => now });
    const happen = (times: number): void => {
      for (let time = 0; time < times; time++) rate.count();
    };
    happen(10);
    expect(rate.perSecond()).toBe(0); // the second is not over
    now = 11_100;
    expect(rate.perSecond()).toBe(2);
    happen(5);
    now = 15_999;
    happen(100);
    expect(rate.perSecond()).toBe(3);
    now = 16_000;
    expect(rate.perSecond()).toBe(21); // the first second is forgotten
    now = 60_000;
    expect(rate.perSecond()).toBe(0);
  });
});
