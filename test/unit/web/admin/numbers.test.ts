import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { EdgeSchema } from "../../../../gen/baccarat/v1/admin_service_pb.ts";
import { lagOf } from "../../../../web/src/admin/lag.ts";
import { count, milliseconds, rate } from "../../../../web/src/admin/numbers.ts";
import { readPairs, readSettings, writePairs } from "../../../../web/src/admin/room-values.ts";
import { Samples } from "../../../../web/src/admin/samples.ts";

describe("numbers of the console", () => {
  it("are as short as is useful", () => {
    expect([0, 950, 12_345, 1_234_567].map(count)).toEqual(["0", "950", "12,345", "1.2M"]);
    expect([0, 0.01, 0.44, 3.25, 48.4, 1_250].map(rate)).toEqual(["0", "0.1", "0.4", "3.3", "48", "1,250"]);
    expect([0.4, 12, 1_300].map(milliseconds)).toEqual(["0.4 ms", "12 ms", "1.3 s"]);
  });

  it("weigh the lag of edges by how much they deliver, and ignore those that deliver nothing", () => {
    const edge = (deliveriesPerSecond: number, deliveryLagMs: number, deliveryLagP99Ms: number) =>
      create(EdgeSchema, { traffic: { deliveriesPerSecond, deliveryLagMs, deliveryLagP99Ms } });
    expect(lagOf([])).toBeUndefined();
    expect(lagOf([create(EdgeSchema), edge(0, 0, 0)])).toBeUndefined();
    expect(lagOf([edge(300, 2, 9), edge(100, 10, 40), edge(0, 0, 0)])).toEqual({ meanMs: 4, p99Ms: 40 });
  });
});

describe("samples", () => {
  it("are kept for a time, by name, and interrupted where nothing was measured", () => {
    const samples = new Samples({ spanMs: 10_000, gapMs: 3_000 });
    expect([samples.since, samples.summary("a")]).toEqual([undefined, undefined]);
    samples.add({ at: 1_000, values: { a: 3 } });
    samples.add({ at: 3_000, values: { a: 1, b: 5 } });
    samples.add({ at: 9_000, values: { a: 2 } });
    expect(samples.series("a")).toEqual([
      [1, 3, 3.001, 9],
      [3, 1, null, 2],
    ]);
    expect(samples.series("b")[1]).toEqual([null, 5, null, null]);
    expect(samples.summary("a")).toEqual({ least: 1, most: 3, last: 2 });
    samples.add({ at: 12_000, values: { a: 4 } });
    expect(samples.since).toBe(3_000);
  });
});

describe("a room's settings", () => {
  it("are read from fields", () => {
    const values = {
      title: "Table 7",
      capacity: "",
      slowModeMs: "500",
      overloadPolicy: "3",
      frozen: "on",
      metadata: " a = b=c \n\nd\n",
    };
    expect(readSettings(values)).toEqual({
      title: "Table 7",
      capacity: 0,
      slowModeMs: 500,
      overloadPolicy: 3,
      conflationIntervalMs: 0,
      private: false,
      frozen: true,
      metadata: { a: "b=c", d: "" },
    });
    expect(readPairs(writePairs({ game: "baccarat", note: "a=b" }))).toEqual({ game: "baccarat", note: "a=b" });
  });
});
