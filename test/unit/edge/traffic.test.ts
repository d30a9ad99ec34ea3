import { fromBinary } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { ControlStore } from "../../../broker/broker.ts";
import { Traffic } from "../../../edge/traffic.ts";
import { type EdgeTraffic, EdgeTrafficSchema } from "../../../gen/baccarat/v1/admin_service_pb.ts";
import { controlKeys } from "../../../services/control-keys.ts";
import { RoomError } from "../../../services/errors.ts";
import { FIXED } from "../../../services/limits.ts";
import { Metrics } from "../../../services/metrics.ts";
import { openTestBroker, quietLog } from "../services/room/replica.ts";

afterEach(() => {
  vi.useRealTimers();
});

describe("an edge's traffic", () => {
  function open(control: ControlStore): { traffic: Traffic; metrics: Metrics } {
    vi.useFakeTimers({ toFake: ["performance", "setInterval", "clearInterval"] });
    const metrics = new Metrics();
    const traffic = new Traffic({ control, incarnation: "inc-1", metrics, log: quietLog() });
    onTestFinished(() => traffic.close());
    return { traffic, metrics };
  }

  async function told(control: ControlStore): Promise<EdgeTraffic | undefined> {
    const entry = await control.get(controlKeys.traffic("inc-1"));
    return entry?.value && fromBinary(EdgeTrafficSchema, entry.value);
  }

  it("is what happened between two reports, per second", async () => {
    const { control } = await openTestBroker();
    const { traffic, metrics } = open(control);
    metrics.framesTotal.inc({ type: "send_message", outcome: "ok" }, 1_000); // before anybody looked
    await traffic.report();
    metrics.framesTotal.inc({ type: "send_message", outcome: "ok" }, 20);
    metrics.framesTotal.inc({ type: "send_message", outcome: "rate_limited" }, 7);
    metrics.framesTotal.inc({ type: "ping", outcome: "ok" }, 5);
    metrics.deliveriesTotal.inc(300);
    for (let event = 0; event < 98; event++) metrics.deliveryLagSeconds.observe(0.002);
    for (let event = 0; event < 2; event++) metrics.deliveryLagSeconds.observe(0.08);
    vi.advanceTimersByTime(2_000);
    await traffic.report();
    const numbers = await told(control);
    expect(numbers).toMatchObject({ messagesPerSecond: 10, deliveriesPerSecond: 150 });
    expect(numbers?.deliveryLagMs).toBeCloseTo((98 * 2 + 2 * 80) / 100);
    // Half way between the bounds of the bucket that holds the last two.
    expect(numbers?.deliveryLagP99Ms).toBeCloseTo(75);
    expect(Math.abs(Date.now() - (numbers?.reportTime ? timestampMs(numbers.reportTime) : 0))).toBeLessThan(5_000);
  });

  it("is told once when there is none, and again when there is", async () => {
    const { control } = await openTestBroker();
    const { traffic, metrics } = open(control);
    const puts = vi.spyOn(control, "put");
    await traffic.report();
    await traffic.report();
    expect(puts).toHaveBeenCalledTimes(1);
    metrics.deliveriesTotal.inc();
    for (let time = 0; time < 3; time++) {
      vi.advanceTimersByTime(1_000);
      await traffic.report();
    }
    expect(puts).toHaveBeenCalledTimes(3);
    expect(await told(control)).toMatchObject({ deliveriesPerSecond: 0, deliveryLagMs: 0, deliveryLagP99Ms: 0 });
  });

  it("is told as often as the lease is renewed, and no more once it is closed; not being able to is no fault", async () => {
    const puts = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
    let put = 0;
    const away = {
      put: async (): Promise<number> => {
        puts[put++]?.resolve();
        throw new RoomError("unavailable", "away");
      },
    } as Partial<ControlStore> as ControlStore;
    const { traffic } = open(away);
    vi.advanceTimersByTime(FIXED.leaseRenewMs);
    await puts[0]?.promise;
    await traffic.report();
    traffic.close();
    const before = put;
    vi.advanceTimersByTime(5 * FIXED.leaseRenewMs);
    await traffic.report();
    expect(put - before).toBe(1);
  });
});
