import { Metrics, SupervisorMetrics } from "./metrics.ts";

/** docs/metrics.md: every metric of ours, as /metrics itself describes it. */
export async function metricsDocs(): Promise<string> {
  const [own, supervisor] = await Promise.all([rows(new Metrics()), rows(new SupervisorMetrics())]);
  const ofWorkers = [...supervisor].filter(([name]) => name.startsWith("baccarat_") && !own.has(name));
  return `${[
    "# Metrics",
    "",
    "<!-- Written by `npm run generate` from services/metrics.ts. -->",
    "",
    "What `/metrics` on `OPS_PORT` says, in the text format of Prometheus, beside what the runtime tells of itself (`process_*`,",
    "`nodejs_*`). Every process has all of them; those that are not its role's stay at 0. Labels are what a metric is counted",
    "`by`; no label ever is a room, a user or an address. A histogram has `_bucket`, `_sum` and `_count`. With `EDGE_WORKERS` each",
    "worker's have a label `worker`.",
    "",
    "The [dashboard](../deploy/grafana/dashboard.json) shows each of them; what [the alerts](operations.md#alerts) are about is there.",
    "",
    ...table(own),
    "",
    "A supervisor of workers has some of its own:",
    "",
    ...table(ofWorkers),
  ].join("\n")}\n`;
}

interface Row {
  readonly kind: string;
  readonly meaning: string;
}

async function rows(metrics: Metrics | SupervisorMetrics): Promise<Map<string, Row>> {
  const { text } = await metrics.render();
  const described = text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm);
  return new Map([...described].map(([, name = "", meaning = "", kind = ""]) => [name, { kind, meaning }]));
}

function table(described: Iterable<readonly [string, Row]>): string[] {
  const lines = [...described].map(([name, { kind, meaning }]) => `| \`${name}\` | ${kind} | ${meaning} |`);
  return ["| Metric | Kind | Meaning |", "| --- | --- | --- |", ...lines];
}
