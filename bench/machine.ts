import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { delimiter, join } from "node:path";

/** Where the server under test runs, and where the load. */
export const SERVER_CORE = 0;
const LOAD_CORE = 1;

/** True when processes can be kept on cores of their own; without that, load and server get in each other's way. */
export const canPin =
  availableParallelism() > 1 &&
  (process.env.PATH ?? "").split(delimiter).some((directory) => existsSync(join(directory, "taskset")));

/** A command that runs on one core, or on all of them. */
export function onCores(core: number | "all", command: readonly [string, ...string[]]): [string, ...string[]] {
  if (!canPin) return [...command];
  return ["taskset", "-c", core === "all" ? ALL_CORES : `${core}`, ...command];
}

const ALL_CORES = `0-${cpus().length - 1}`;

/** Keeps this process, which is the load, on its core. */
export function pinLoad(): void {
  if (canPin) execFileSync("taskset", ["-cp", `${LOAD_CORE}`, `${process.pid}`]);
}

/** Starts something that inherits all cores. */
export async function unpinned<T>(start: () => Promise<T>): Promise<T> {
  if (canPin) execFileSync("taskset", ["-cp", ALL_CORES, `${process.pid}`]);
  try {
    return await start();
  } finally {
    pinLoad();
  }
}

/** What results depend on. */
export interface Machine {
  readonly cpu: string;
  readonly node: string;
  readonly ws: string;
  readonly socketIo: string;
  /** True when the server had core 0 and the load core 1 for themselves. */
  readonly pinned: boolean;
}

/** This one. */
export function thisMachine(): Machine {
  return {
    cpu: `${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown"}`,
    node: process.versions.node,
    ws: versionOf("ws"),
    socketIo: versionOf("socket.io"),
    pinned: canPin,
  };
}

function versionOf(name: string): string {
  const file = join(import.meta.dirname, "../node_modules", name, "package.json");
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

/** True where `perf stat` can count instructions; many virtual machines cannot. */
export const countsInstructions = (() => {
  const { status, stderr } = spawnSync("perf", ["stat", "-x,", "-e", "instructions", "true"], { encoding: "utf8" });
  return status === 0 && /^\d+,/m.test(stderr);
})();
