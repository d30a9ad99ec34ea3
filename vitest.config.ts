import { randomInt } from "node:crypto";
import { defineConfig } from "vitest/config";

/** Everything random in a run follows from this one number. */
const seed = Number(process.env.SEED ?? randomInt(2 ** 31));
process.stdout.write(`seed ${seed} (SEED=${seed} repeats this run)\n`);

/** `--mode full` (npm run test:full) adds what takes long: every seed, soak runs, every server version at hand. */
export default defineConfig(({ mode }) => ({
  test: {
    include: ["test/**/*.test.ts"],
    env: { TEST_SEED: String(seed), TEST_FULL: mode === "full" ? "1" : "" },
    setupFiles: ["test/support/seed.ts"],
    sequence: { seed },
    // Each file has a process of its own: real servers, workers and signals do not mix.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
  },
}));
