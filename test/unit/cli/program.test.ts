import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { CommanderError } from "commander";
import { describe, expect, it } from "vitest";
import { cliDocs } from "../../../cli/docs.ts";
import { commandsOf, createProgram } from "../../../cli/program.ts";
import type { Shell } from "../../../cli/session.ts";

function shellOf(): { shell: Shell; output: () => string } {
  const stream = new PassThrough();
  const shell = { stdout: stream, stderr: stream, stdin: stream, env: {}, signal: new AbortController().signal };
  return { shell, output: () => String(stream.read() ?? "") };
}

/** Runs words that no server is asked about; returns Commander's exit code and what was printed. */
async function typed(...words: readonly string[]): Promise<{ code: number; printed: string }> {
  const { shell, output } = shellOf();
  try {
    await createProgram(shell).parseAsync(words, { from: "user" });
    return { code: 0, printed: output() };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { code: error.exitCode, printed: output() };
  }
}

describe("roomctl's arguments", () => {
  it.each([
    [["sned"], "Did you mean send?"],
    [["kick", "general"], "missing required argument 'uid'"],
    [["kick", "general", "percy", "more"], "too many arguments"],
    [["ban", "general", "percy", "--for", "7"], "number with a unit"],
    [["tail", "general", "--count", "0"], "whole number"],
    [["--url", "localhost", "stats"], "must be a URL"],
    [["--timeout", "1", "stats"], "whole number"],
    [["trace", "4711"], "<epoch>-<seq>"],
    [["publish", "general", "a.b", "{"], "must be JSON"],
    [["doctor", "--role", "master"], "all, edge, room"],
    [["stats", "--nothing"], "unknown option"],
    [["rooms", "update", "general", "--overload-policy", "drop"], "queue, drop_ephemeral, latest_only"],
  ])("%j are refused", async (words, message) => {
    const { code, printed } = await typed(...words);
    expect(code).not.toBe(0);
    expect(printed).toContain(message);
  });

  it("has --help with an example for every command", async () => {
    for (const [path] of commandsOf(createProgram(shellOf().shell))) {
      const { code, printed } = await typed(...path.split(" "), "--help");
      expect(code, path).toBe(0);
      expect(printed, path).toMatch(new RegExp(`Examples:\\n.*roomctl .*${path}`, "s"));
      expect(printed, path).toContain("--json");
    }
  });

  it("never shows a token in --help", async () => {
    const { printed } = await typed("--token", "very-secret", "--help");
    expect(printed).not.toContain("very-secret");
  });

  it("is described by docs/cli.md", () => {
    const page = readFileSync(join(import.meta.dirname, "../../../docs/cli.md"), "utf8");
    expect(page, "npm run generate writes it").toBe(cliDocs());
  });
});
