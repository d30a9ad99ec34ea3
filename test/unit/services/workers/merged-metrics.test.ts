import { describe, expect, it } from "vitest";
import { Metrics } from "../../../../services/metrics.ts";
import { mergeMetrics } from "../../../../services/workers/merged-metrics.ts";

describe("mergeMetrics", () => {
  it("keeps each worker's numbers apart and says what a number is once", () => {
    const one = '# HELP a_total A {b}.\n# TYPE a_total counter\na_total{code="1} 2"} 3\na_total 4\n';
    const other = "# HELP b B.\n# TYPE b gauge\nb NaN\n\n# HELP a_total A {b}.\n# TYPE a_total counter\na_total 5\n";
    expect(
      mergeMetrics([
        { worker: undefined, text: "# HELP b B.\n# TYPE b gauge\nb 1\n" },
        { worker: 1, text: one },
        { worker: 2, text: other },
        { worker: 3, text: "" },
      ]),
    ).toBe(`# HELP b B.
# TYPE b gauge
b 1
b{worker="2"} NaN

# HELP a_total A {b}.
# TYPE a_total counter
a_total{worker="1",code="1} 2"} 3
a_total{worker="1"} 4
a_total{worker="2"} 5
`);
  });

  it("takes what processes really say", async () => {
    const metrics = new Metrics({ process: true });
    metrics.publishSeconds.observe(0.003);
    const { text } = await metrics.render();
    const merged = mergeMetrics([
      { worker: 1, text },
      { worker: 2, text },
    ]);
    const samples = (of: string): string[] => of.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    expect(samples(merged)).toHaveLength(2 * samples(text).length);
    expect(samples(merged).every((line) => /^\w+\{worker="[12]"(,.+)?\} \S+$/.test(line))).toBe(true);
    expect(merged).toContain('baccarat_publish_seconds_bucket{worker="2",le="0.005"} 1\n');
    const heads = [...merged.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    expect(new Set(heads).size).toBe(heads.length);
  });
});
