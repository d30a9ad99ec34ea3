import { parseArgs } from "node:util";
import type { Plan } from "./measure.ts";

/** What to measure, how, and where the results go. */
export interface Options {
  readonly plan: Plan;
  readonly cases: readonly string[];
  /** JSON file the results are added to; undefined: nowhere. */
  readonly out: string | undefined;
}

/** Rounds and seconds of a real run, and of one that only shows that everything works. */
const ROUNDS = 5;
const SECONDS = 3;
const QUICK = { rounds: 1, seconds: 0.3 };

/**
 * Reads `[case …] [--quick] [--out FILE]` and BENCH_ROUNDS, BENCH_SECONDS. Quick results are stored only where `--out`
 * says. @throws Error that says what is wrong.
 */
export function parseOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  known: readonly string[],
  file: string,
): Options {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { quick: { type: "boolean", default: false }, out: { type: "string" } },
  });
  const strange = positionals.filter((name) => !known.includes(name));
  if (strange.length > 0) throw new Error(`there is no case ${strange.join(", ")}; there are ${known.join(", ")}`);
  const { quick } = values;
  return {
    plan: {
      quick,
      rounds: positive("BENCH_ROUNDS", env.BENCH_ROUNDS) ?? (quick ? QUICK.rounds : ROUNDS),
      seconds: positive("BENCH_SECONDS", env.BENCH_SECONDS) ?? (quick ? QUICK.seconds : SECONDS),
    },
    cases: positionals.length > 0 ? positionals : known,
    out: values.out ?? (quick ? undefined : file),
  };
}

function positive(name: string, text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${name} must be a number above 0, not ${text}`);
  return value;
}
