import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Fails when gen/ is not what `buf generate` writes from the schema. */
const root = join(import.meta.dirname, "..");
const scratch = mkdtempSync(join(tmpdir(), "generated-"));

try {
  execFileSync("buf", ["generate", "--output", scratch], { cwd: root, stdio: "inherit" });
  const committed = readTree(join(root, "gen"));
  const fresh = readTree(join(scratch, "gen"));
  const stale = [...new Set([...committed.keys(), ...fresh.keys()])].filter(
    (path) => committed.get(path) !== fresh.get(path),
  );
  for (const path of stale) process.stderr.write(`gen/${path} is stale: run npm run generate\n`);
  if (stale.length > 0) process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function readTree(directory: string): Map<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path.slice(directory.length + 1).replaceAll("\\", "/"), readFileSync(path, "utf8")];
    }),
  );
}
