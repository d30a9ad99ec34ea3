import { markdown, type Result, type Results, summary } from "./report.ts";

const BEGIN = "<!-- results: written by the benchmark -->";
const END = "<!-- end of results -->";

/** The README with these results in it, between its two marks. @throws Error when it has no marks. */
export function withResults(readme: string, results: Results): string {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`bench/README.md lacks ${BEGIN} or ${END}`);
  return [readme.slice(0, begin) + BEGIN, "", section(results), readme.slice(end)].join("\n");
}

function section(results: Results): string {
  const cases = Object.entries(results).map(([name, result]) =>
    [`### ${name}`, "", conditions(result), "", ...result.tables.map(markdown)].join("\n"),
  );
  return [markdown(summary(results)), ...cases].join("\n");
}

/** What a case's numbers depend on. */
function conditions({ date, machine, natsServer, rounds, seconds }: Result): string {
  const { cpu, node, ws, socketIo, pinned } = machine;
  const cores = pinned ? "server on core 0, load on core 1" : "server and load on the same cores";
  return `${date}, ${cpu}, Node ${node}, nats-server ${natsServer}, ws ${ws}, Socket.IO ${socketIo}; median of ${rounds} × ${seconds} s; ${cores}.`;
}
