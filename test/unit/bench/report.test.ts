import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { drawChart } from "../../../bench/chart.ts";
import { LOAD_CPU, markdown, mergeResults, type Result, reach, readResults, summary } from "../../../bench/report.ts";

const RESULT: Result = {
  date: "2026-01-02",
  machine: { cpu: "2 × a CPU", node: "24.0.0", ws: "8.0.0", socketIo: "4.0.0", pinned: true },
  natsServer: "2.15.2",
  rounds: 5,
  seconds: 3,
  tables: [
    {
      title: "Fan-out",
      columns: {
        members: "count",
        server: "text",
        "deliveries/s": "count",
        "× naive-ws": "decimal",
        [LOAD_CPU]: "percent",
      },
      rows: [
        {
          members: 1_000,
          "in flight": "2",
          server: "product",
          "deliveries/s": 250_000,
          "× naive-ws": 2.5,
          [LOAD_CPU]: 0.5,
        },
        {
          members: 1_000,
          "in flight": "2",
          server: "naive-ws",
          "deliveries/s": 100_000,
          "× naive-ws": 1,
          [LOAD_CPU]: 0.95,
        },
      ],
    },
  ],
  figures: [
    { name: "fan-out < & >", value: 2.5, unit: "× naive-ws", atLeast: 2 },
    { name: "p99", value: 2, unit: "× naive-ws", atMost: 1 },
    { name: "history", value: 3, unit: "ms" },
  ],
};

describe("a table", () => {
  it("is Markdown that marks a load that was too busy", () => {
    expect(
      markdown(RESULT.tables[0] ?? { title: "", columns: {}, rows: [] })
        .split("\n")
        .slice(2),
    ).toEqual([
      "| members | server | deliveries/s | × naive-ws | load's CPU |",
      "| --- | --- | --- | --- | --- |",
      "| 1,000 | product | 250,000 | 2.50 | 50 % |",
      "| 1,000 | naive-ws | 100,000 | 1.00 | 95 % (!) |",
      "",
    ]);
  });

  it("shows what was not measured as such", () => {
    const table = { title: "t", columns: { a: "count", b: "decimal" }, rows: [{ b: Number.NaN }] } as const;
    expect(markdown(table)).toContain("| – | – |");
  });
});

describe("figures", () => {
  it("reach what is asked of them, or do not", () => {
    expect(RESULT.figures.map(reach)).toEqual([1.25, 0.5, undefined]);
    expect(summary({ "fan-out": RESULT }).rows).toEqual([
      { figure: "fan-out < & >", measured: "2.50 × naive-ws", "has to be": "≥ 2.00", "": "yes" },
      { figure: "p99", measured: "2.00 × naive-ws", "has to be": "≤ 1.00", "": "no" },
      { figure: "history", measured: "3.00 ms", "has to be": "", "": "" },
    ]);
  });

  it("are drawn, with the servers they are compared with", () => {
    const svg = drawChart({ "fan-out": RESULT });
    expect(svg).toContain("2 in flight: product");
    expect(svg).toContain("fan-out &lt; &amp; &gt;");
    expect(svg).not.toContain("NaN");
    expect(drawChart({})).toContain("<svg");
  });
});

describe("results", () => {
  it("are kept when other cases are measured", async () => {
    const directory = await mkdtemp(join(tmpdir(), "baccarat-bench-test-"));
    try {
      const file = join(directory, "results.json");
      expect(await readResults(file)).toEqual({});
      await mergeResults(file, { one: RESULT });
      await mergeResults(file, { two: RESULT });
      expect(await readResults(file)).toEqual({ one: RESULT, two: RESULT });
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
