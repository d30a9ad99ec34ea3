import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestClient } from "../support/client.ts";
import { ProductProcess, ROOT } from "../support/process.ts";

const run = promisify(execFile);

/** The steps of the image's last stage, as `INSTRUCTION rest`, with continued lines joined. */
async function lastStage(): Promise<string[]> {
  const text = (await readFile(join(ROOT, "Dockerfile"), "utf8")).replace(/\\\n\s*/g, "");
  const steps = text.split("\n").filter((line) => /^[A-Z]+ /.test(line));
  return steps.slice(steps.findLastIndex((step) => step.startsWith("FROM ")));
}

describe("the image", { timeout: 120_000 }, () => {
  let directory: string;
  let steps: string[];
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "baccarat-image-"));
    steps = await lastStage();
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it("is of the runtime that everything is tested with, and not root's", () => {
    expect(steps[0]).toBe("FROM node:24-slim");
    expect(process.versions.node.split(".")[0]).toBe("24");
    expect(steps).toContain("USER node");
    expect(steps).toContain("ENV NODE_ENV=production");
  });

  it("holds all that a process needs, when made by its own steps", async () => {
    const app = join(directory, "app");
    for (const step of steps.filter((candidate) => candidate.startsWith("COPY "))) {
      const words = step.split(" ").slice(1);
      const paths = words.filter((word) => !word.startsWith("--"));
      for (const source of paths.slice(0, -1)) {
        const target = join(app, paths.at(-1) === "./" ? source : (paths.at(-1) ?? ""));
        await mkdir(dirname(target), { recursive: true });
        await cp(join(ROOT, source.replace(/^\/app\//, "")), target, { recursive: true });
      }
    }
    const install = steps.find((step) => step.startsWith("RUN npm ci ")) ?? "";
    const [words = ""] = install.slice("RUN ".length).split(" && ");
    expect(words).toContain("--omit=dev --omit=optional --ignore-scripts");
    const [npm = "", ...args] = [...words.split(" "), "--prefer-offline"];
    await run(npm, args, { cwd: app });

    const entrypoint = JSON.parse(steps.find((step) => step.startsWith("ENTRYPOINT "))?.slice(11) ?? "[]") as string[];
    const [, ...flags] = entrypoint;
    const product = await ProductProcess.start({
      command: [process.execPath, ...flags],
      cwd: app,
      env: { NODE_ENV: "development", DATA_DIR: join(directory, "data") },
    });
    const client = await TestClient.connect(product.addresses.edge ?? "");
    await client.request("join_room", { room_id: "image" });
    await client.say("image", "hello");
    expect((await fetch(`${product.addresses.edge}/`)).status).toBe(200);
    await client.close();
    expect((await product.stop()).code).toBe(0);
    const { stdout } = await run(process.execPath, ["cli/roomctl.ts", "--help"], { cwd: app });
    expect(stdout).toContain("Usage: roomctl");
  });
});
