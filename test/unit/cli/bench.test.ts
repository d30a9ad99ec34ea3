import { describe, expect, it } from "vitest";
import { Deliveries } from "../../../cli/bench-deliveries.ts";
import { quantiles } from "../../../cli/quantiles.ts";

describe("quantiles", () => {
  it("are those of the nearest rank", () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(quantiles(values)).toEqual({ p50: 50, p95: 95, p99: 99, max: 100 });
    expect(quantiles([2.71])).toEqual({ p50: 2.7, p95: 2.7, p99: 2.7, max: 2.7 });
    expect(quantiles([])).toEqual({ p50: 0, p95: 0, p99: 0, max: 0 });
  });
});

describe("deliveries", () => {
  it("counts each message once for each client, and what comes again as duplicated", () => {
    const deliveries = new Deliveries(3, 5);
    deliveries.begin();
    const texts = [0, 1, 2, 3, 4].map((number) => deliveries.publish(number, 100));
    for (const text of texts) expect(text).toHaveLength(100);
    for (let client = 0; client < 3; client += 1) for (const text of texts) deliveries.received(client, text);
    expect([deliveries.count, deliveries.duplicated]).toEqual([15, 0]);
    deliveries.received(1, texts[4] ?? "");
    expect([deliveries.count, deliveries.duplicated]).toEqual([15, 1]);
    expect(deliveries.latencies).toHaveLength(15);
  });

  it("ignores what others say in the room", () => {
    const deliveries = new Deliveries(1, 1);
    deliveries.begin();
    for (const text of ["hello", "", "0", new Deliveries(1, 1).publish(0, 40)]) deliveries.received(0, text);
    expect([deliveries.count, deliveries.duplicated]).toEqual([0, 0]);
  });

  it("waits until all is there, or nothing comes any more, or the user has had enough", async () => {
    const deliveries = new Deliveries(1, 2);
    deliveries.begin();
    deliveries.received(0, deliveries.publish(0, 40));
    const { signal } = new AbortController();
    await deliveries.complete(1, 60_000, signal);
    await deliveries.complete(2, 20, signal);
    await deliveries.complete(2, 60_000, AbortSignal.abort());
    expect(deliveries.count).toBe(1);
  });
});
