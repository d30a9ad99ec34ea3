import { describe, expect, it, onTestFinished } from "vitest";
import { EventLoopLag } from "../../../services/event-loop.ts";
import { eventually } from "../../support/eventually.ts";

describe("the lag of the event loop", () => {
  it("is seen while every turn is long, not for a single one, and passes", async () => {
    const measured: number[] = [];
    const loop = new EventLoopLag({ onMeasured: (lagMs) => measured.push(lagMs) });
    onTestFinished(() => loop.close());
    await eventually("a first measurement", () => measured.length > 0);
    busyFor(400);
    await eventually("the measurement of one long turn", () => measured.length > 1);
    expect(loop.lagMs).toBeLessThan(200);
    await eventually("lag", () => {
      busyFor(300);
      return loop.lagMs > 200;
    });
    await eventually("its end", () => loop.lagMs < 200);
  });
});

function busyFor(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
