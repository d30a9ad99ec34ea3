import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { inspect } from "node:util";
import { CASES } from "./cases.ts";
import { drawChart } from "./chart.ts";
import { canPin, countsInstructions, pinLoad, thisMachine } from "./machine.ts";
import { natsVersion } from "./nats.ts";
import { type Options, parseOptions } from "./options.ts";
import { withResults } from "./readme.ts";
import { markdown, mergeResults, type Result, type Results, summary } from "./report.ts";
import { killServers } from "./servers.ts";

/**
 * `npm run bench -- [case …] [--quick] [--out FILE]`: each figure as a ratio to a baseline measured in the same run, the
 * two taking turns, since a machine's speed drifts. The server under test runs on core 0; this process is the load, on
 * core 1. Results are added to bench/results.json; bench/chart.svg and the tables in bench/README.md are made from it.
 */
const RESULTS = join(import.meta.dirname, "results.json");
const README = join(import.meta.dirname, "README.md");

// Ended by a signal, a process does not run what it would at its exit: servers would stay.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

await run(parseOptions(process.argv.slice(2), process.env, Object.keys(CASES), RESULTS));

async function run({ plan, cases, out }: Options): Promise<void> {
  pinLoad();
  const machine = thisMachine();
  const natsServer = await natsVersion();
  const date = new Date().toISOString().slice(0, 10);
  print(`${date}, ${machine.cpu}, Node ${machine.node}, nats-server ${natsServer}, ws ${machine.ws}, `);
  print(`socket.io ${machine.socketIo}; ${plan.rounds} rounds of ${plan.seconds} s`);
  if (!canPin) print("server and load share all cores: without taskset and two cores, take no figure seriously");
  if (!countsInstructions) print("instructions: not supported here; CPU time per delivery is measured instead");
  const results: Record<string, Result> = {};
  for (const name of cases) {
    const at = performance.now();
    print(`\n## ${name}\n`);
    const outcome = await CASES[name]?.(plan).catch((error: unknown) => fail(name, error));
    if (outcome === undefined) continue;
    for (const table of outcome.tables) print(markdown(table));
    print(`(${((performance.now() - at) / 1_000).toFixed(0)} s)`);
    results[name] = { date, machine, natsServer, rounds: plan.rounds, seconds: plan.seconds, ...outcome };
    // After each case, so that what was measured is not lost with what fails later.
    if (out !== undefined) await store(out, { [name]: results[name] });
  }
  print(`\n${markdown(summary(results))}`);
}

/** What one case cannot measure, the others still can. */
function fail(name: string, error: unknown): undefined {
  process.stderr.write(`${name} failed: ${inspect(error)}\n`);
  process.exitCode = 1;
  killServers();
}

async function store(file: string, results: Results): Promise<void> {
  const merged = await mergeResults(file, results);
  await writeFile(join(dirname(file), "chart.svg"), drawChart(merged));
  if (file === RESULTS) await writeFile(README, withResults(await readFile(README, "utf8"), merged));
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
