import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const START = join(import.meta.dirname, "../../../bin/start.js");

/** Runs bin/start.js as if Node had another version. */
function startOn(version: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const pretend = `Object.defineProperty(process.versions, "node", { value: "${version}" })`;
  const words = ["--import", `data:text/javascript,${encodeURIComponent(pretend)}`, START, "--help"];
  return new Promise((resolve) => {
    execFile(process.execPath, words, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
    });
  });
}

describe("bin/start.js", () => {
  it.each(["14.21.3", "18.0.0", "20.20.2", "23.11.1"])("says what to do on Node %s", async (version) => {
    const { code, stdout, stderr } = await startOn(version);
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toBe(
      `This needs Node 24 and runs on ${version}: npm ci brings its own Node 24, on which npm start runs it.\n`,
    );
  });

  it.each(["24.0.0", "26.1.0"])("starts on Node %s", async (version) => {
    const { code, stdout, stderr } = await startOn(version);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("Usage: npm start");
  });
});
