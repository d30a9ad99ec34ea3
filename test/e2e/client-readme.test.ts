import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../support/process.ts";
import { singleProcess } from "../support/topology.ts";

const run = promisify(execFile);
const readme = await readFile(join(ROOT, "client/README.md"), "utf8");
const examples = [...readme.matchAll(/```ts run\n([\s\S]*?)```/g)].map(([, code = ""], index) => ({ index, code }));
const topology = singleProcess();
let folder = "";

/** A project that has the package installed, built as it would be published. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "baccarat-readme-"));
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  await run(process.execPath, [
    tsc,
    "-p",
    join(ROOT, "client/tsconfig.json"),
    "--outDir",
    join(folder, "package/dist"),
  ]);
  await writeFile(join(folder, "package/package.json"), await readFile(join(ROOT, "client/package.json")));
  await mkdir(join(folder, "node_modules/@baccarat"), { recursive: true });
  await symlink(join(folder, "package"), join(folder, "node_modules/@baccarat/client"));
  await writeFile(join(folder, "package.json"), '{"type":"module"}');
  await topology.start();
});
afterAll(async () => {
  await topology.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("client/README.md", () => {
  it("has examples", () => expect(examples.length).toBeGreaterThan(3));

  it.each(examples)("example $index runs", async ({ index, code }) => {
    const file = join(folder, `example-${index}.ts`);
    await writeFile(file, code.replaceAll("ws://localhost:3000", (topology.edges[0] ?? "").replace("http", "ws")));
    const { stdout } = await run(process.execPath, [file], { timeout: 20_000 });
    expect(stdout).not.toBe("");
  });
});
