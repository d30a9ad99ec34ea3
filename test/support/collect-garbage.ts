import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isMainThread } from "node:worker_threads";

/**
 * Loaded into a process of the product by NODE_OPTIONS: at SIGWINCH, which nobody else uses, it collects all garbage, gives
 * V8's spare pages back to the system, and logs what the process still has. Without it what is measured is mostly when V8
 * last felt like doing so.
 */
if (isMainThread) {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: object) => void;
  process.on("SIGWINCH", () => {
    collect({ type: "major", execution: "sync", flavor: "last-resort" });
    const line = { level: "info", msg: "garbage collected", residentBytes: process.memoryUsage.rss() };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  });
}
