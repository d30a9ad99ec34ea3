// Plain old JavaScript on purpose: it must run, and say what to do, on a Node that cannot run the rest.
import nodeModule from "node:module";
import { join } from "node:path";

const NEEDED = 24;
/** Where compiled modules are kept: half of what a start takes is reading TypeScript. Not in a folder others may write to. */
const CACHE = join(import.meta.dirname ?? ".", "../node_modules/.cache/compiled");

/** Runs a module of ours, or says what it lacks, Node or packages, and that npm has it, which then runs it by `command`. */
export function run(module, command) {
  const found = process.versions.node;
  if (Number(found.split(".")[0]) < NEEDED) {
    process.stderr.write(
      `This needs Node ${NEEDED} and runs on ${found}: npm ci brings its own Node ${NEEDED}, on which ${command} runs it.\n`,
    );
    process.exit(1);
  }
  nodeModule.enableCompileCache(CACHE);
  // For the threads and processes it starts.
  process.env.NODE_COMPILE_CACHE ??= CACHE;
  return import(module).catch((error) => {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    process.stderr.write(`${error.message}: npm ci brings what is missing, then ${command} runs it.\n`);
    process.exit(1);
  });
}
