import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { Metrics, SupervisorMetrics } from "../../services/metrics.ts";
import { ROOT } from "../support/process.ts";

interface Alerts {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert: string;
      readonly expr: string;
      readonly annotations: { readonly summary: string };
    }[];
  }[];
}

interface Dashboard {
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly targets: readonly { readonly expr: string }[];
  }[];
}

const read = (path: string): Promise<string> => readFile(join(ROOT, path), "utf8");

/** Names that are on /metrics, with the suffixes a histogram's samples have. */
async function servedNames(): Promise<Set<string>> {
  const rendered = await Promise.all([new Metrics({ process: true }).render(), new SupervisorMetrics().render()]);
  const text = rendered.map((one) => one.text).join("\n");
  return new Set(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = "", type]) =>
      type === "histogram" ? ["_bucket", "_count", "_sum"].map((suffix) => name + suffix) : [name],
    ),
  );
}

/** Names of metrics in an expression: ours and those of the runtime. */
function namesIn(expr: string): string[] {
  return expr.match(/\b(?:baccarat|nodejs|process)_[a-z0-9_]+\b/g) ?? [];
}

/** True when every bracket is closed by its own kind; texts in quotes do not count. */
function isBalanced(expr: string): boolean {
  const open: string[] = [];
  for (const bracket of expr.replace(/"(?:[^"\\]|\\.)*"/g, "").match(/[()[\]{}]/g) ?? []) {
    if ("([{".includes(bracket)) open.push(bracket);
    else if (open.pop() !== { ")": "(", "]": "[", "}": "{" }[bracket]) return false;
  }
  return open.length === 0;
}

describe("alerts and dashboard", () => {
  let alerts: Alerts["groups"][number]["rules"];
  let dashboard: Dashboard;
  let served: Set<string>;
  beforeAll(async () => {
    alerts = (parse(await read("deploy/prometheus/alerts.yml")) as Alerts).groups.flatMap((group) => group.rules);
    dashboard = JSON.parse(await read("deploy/grafana/dashboard.json")) as Dashboard;
    served = await servedNames();
  });
  const expressions = (): string[] => [
    ...alerts.map((rule) => rule.expr),
    ...dashboard.panels.flatMap((panel) => panel.targets.map((target) => target.expr)),
  ];

  it("use only metrics that exist", () => {
    expect(expressions().length).toBeGreaterThan(30);
    const unknown = expressions().flatMap((expr) => namesIn(expr).filter((name) => !served.has(name)));
    expect(unknown).toEqual([]);
    expect(expressions().filter((expr) => namesIn(expr).length === 0 && !expr.startsWith("up{"))).toEqual([]);
  });

  it("show every metric of our own", () => {
    const shown = new Set(dashboard.panels.flatMap((panel) => panel.targets.flatMap(({ expr }) => namesIn(expr))));
    const hidden = [...served].filter(
      (name) => name.startsWith("baccarat_") && !/_(count|sum)$/.test(name) && !shown.has(name),
    );
    expect(hidden).toEqual([]);
  });

  it("have balanced expressions", () => {
    expect(expressions().filter((expr) => !isBalanced(expr))).toEqual([]);
    for (const wrong of ["sum(a", "a)", 'a{b="c"', "(a]"]) expect(isBalanced(wrong)).toBe(false);
  });

  it("name each alert and each panel once, and every alert has a runbook", async () => {
    const names = alerts.map((rule) => rule.alert);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    const runbook = await read("docs/operations.md");
    expect(names.filter((name) => !runbook.includes(`### ${name}\n`))).toEqual([]);
  });

  it("ask the processes that the compose file runs", async () => {
    const { scrape_configs } = parse(await read("deploy/prometheus/prometheus.yml")) as {
      scrape_configs: { static_configs: { targets: string[] }[] }[];
    };
    const { services } = parse(await read("docker-compose.yml"), { merge: true }) as {
      services: Record<string, unknown>;
    };
    const targets = scrape_configs.flatMap((job) => job.static_configs.flatMap((config) => config.targets));
    expect(targets).toHaveLength(4);
    for (const target of targets) expect(Object.keys(services)).toContain(target.split(":")[0]);
  });
});
