import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../../support/process.ts";

const COPIED = ["package.json", "bin", "scripts"];

describe("bin/compose-init.js", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "baccarat-compose-init-"));
    for (const path of COPIED) await cp(join(ROOT, path), join(directory, path), { recursive: true });
  });
  afterAll(() => rm(directory, { recursive: true }));

  it("says what to do before there are packages, and makes nothing", async () => {
    const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
      execFile(process.execPath, [join(directory, "bin/compose-init.js")], (error, _, stderr) => {
        resolve({ code: error?.code, stderr });
      });
    });
    expect(stderr).toMatch(
      /^Cannot find package .*: npm ci brings what is missing, then npm run compose:init runs it\.\n$/,
    );
    expect(code).toBe(1);
    expect((await readdir(directory)).filter((name) => /^\.(env|certificates)$/.test(name))).toEqual([]);
  });
});
