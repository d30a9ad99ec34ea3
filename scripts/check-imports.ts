import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { findViolations } from "./import-rules.ts";

/** Fails when a file imports what it must not, is too long, or touches `process` outside main.ts. */
const root = join(import.meta.dirname, "..");
const SKIPPED: ReadonlySet<string> = new Set(["node_modules", "dist", "data", "coverage"]);

const files = new Map<string, string>();
collect(root);
const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  dependencies: Record<string, string>;
};
const found = findViolations(files, new Set(Object.keys(dependencies)));
for (const line of found) process.stderr.write(`${line}\n`);
if (found.length > 0) process.exitCode = 1;

function collect(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory() && !SKIPPED.has(entry.name) && !entry.name.startsWith(".")) collect(path);
    if (entry.isFile() && /\.(ts|tsx|js|mjs)$/.test(entry.name)) {
      files.set(relative(root, path).split(sep).join("/"), readFileSync(path, "utf8"));
    }
  }
}
