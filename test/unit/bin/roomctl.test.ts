import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOMCTL = join(import.meta.dirname, "../../../bin/roomctl.js");

/** Runs bin/roomctl.js as if Node had another version. */
function onNode(version: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const pretend = `Object.defineProperty(process.versions, "node", { value: "${version}" })`;
  const words = ["--import", `data:text/javascript,${encodeURIComponent(pretend)}`, ROOMCTL, "--help"];
  return new Promise((resolve) => {
    execFile(process.execPath, words, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
    });
  });
}

describe("bin/roomctl.js", () => {
  it("says what to do on an old Node", async () => {
    const { code, stdout, stderr } = await onNode("20.20.2");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^This needs Node 24 and runs on 20\.20\.2: .*npm run roomctl.*\n$/);
  });

  it("starts on a new one", async () => {
    const { code, stdout, stderr } = await onNode("24.0.0");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("Usage: roomctl");
  });
});
