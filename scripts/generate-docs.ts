import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cliDocs } from "../cli/docs.ts";
import { configDocs } from "../services/config-help.ts";
import { metricsDocs } from "../services/metrics-docs.ts";

/** Pages written from the code, so that they cannot say anything else. With --check they are compared, not written. */
const PAGES = new Map<string, () => string | Promise<string>>([
  ["docs/configuration.md", configDocs],
  ["docs/cli.md", cliDocs],
  ["docs/metrics.md", metricsDocs],
]);

const root = join(import.meta.dirname, "..");
const check = process.argv.includes("--check");

for (const [page, write] of PAGES) {
  const path = join(root, page);
  const text = await write();
  if (!check) {
    await writeFile(path, text);
  } else if ((await readFile(path, "utf8").catch(() => "")) !== text) {
    process.stderr.write(`${page} is stale: run npm run generate\n`);
    process.exitCode = 1;
  }
}
