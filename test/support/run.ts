import { type ProcessOptions, ProductProcess } from "./process.ts";

/** What a program that ran to its end left. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the product, or another program, to its end. @throws Error with its output when that takes over 30 s. */
export async function run(options: ProcessOptions): Promise<Ran> {
  const program = new ProductProcess(options);
  const { code } = await program.exit(RUN_MS);
  return { code, stdout: program.stdout, stderr: program.stderr };
}

const RUN_MS = 30_000;
