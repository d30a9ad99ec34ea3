import { configureGlobal } from "fast-check";

/** Makes property tests follow the seed of the run, which vitest.config.ts chooses and prints. */
configureGlobal({ seed: Number(process.env.TEST_SEED) });
