import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CASES } from "../../../bench/cases.ts";
import { withResults } from "../../../bench/readme.ts";
import type { Result } from "../../../bench/report.ts";
import { ROOT } from "../../support/process.ts";

const RESULT: Result = {
  date: "2026-01-02",
  machine: { cpu: "2 × a CPU", node: "24.0.0", ws: "8.0.0", socketIo: "4.0.0", pinned: true },
  natsServer: "2.15.2",
  rounds: 5,
  seconds: 3,
  tables: [{ title: "Idle", columns: { bytes: "count" }, rows: [{ bytes: 7_000 }] }],
  figures: [{ name: "idle", value: 1.2, unit: "× bare ws", atMost: 1.5 }],
};

describe("the benchmarks' README", () => {
  it("takes results again and again, and keeps what is around them", async () => {
    const before = await readFile(join(ROOT, "bench/README.md"), "utf8");
    const once = withResults(before, { idle: RESULT });
    expect(once).toContain("| idle | 1.20 × bare ws | ≤ 1.50 | yes |");
    expect(once).toContain("2026-01-02, 2 × a CPU, Node 24.0.0, nats-server 2.15.2, ws 8.0.0, Socket.IO 4.0.0;");
    expect(once).toContain("| 7,000 |");
    expect(withResults(once, { idle: RESULT })).toBe(once);
    const head = before.slice(0, before.indexOf("## Measured"));
    expect(once.startsWith(head)).toBe(true);
    expect(() => withResults("# Nothing", {})).toThrow("lacks");
  });

  it("names every case", async () => {
    const readme = await readFile(join(ROOT, "bench/README.md"), "utf8");
    for (const name of Object.keys(CASES)) expect(readme).toContain(`| ${name} |`);
  });
});
