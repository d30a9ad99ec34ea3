import { assert, property, string } from "fast-check";
import { describe, expect, it } from "vitest";
import { parseArguments } from "../../../services/arguments.ts";

describe("parseArguments", () => {
  it.each([
    [[], { action: "run", role: "all" }],
    [["--role=edge"], { action: "run", role: "edge" }],
    [["--role", "room"], { action: "run", role: "room" }],
    [["--role=edge", "--role=all"], { action: "run", role: "all" }],
    [["--help"], { action: "help", role: "all" }],
    [["-h"], { action: "help", role: "all" }],
    [["--check-config", "--role=edge"], { action: "check-config", role: "edge" }],
    [["--help", "--check-config"], { action: "help", role: "all" }],
    [["--print-config"], { action: "print-config", role: "all" }],
    [["--config=a.env"], { action: "run", role: "all", config: "a.env" }],
    [["--demo"], { action: "run", role: "all", demo: true }],
  ])("%j", (words, expected) => expect(parseArguments(words)).toEqual({ demo: false, config: undefined, ...expected }));

  it.each([
    [["--role=master"], "all, edge, room"],
    [["--role="], "all, edge, room"],
    [["--role"], "--role"],
    [["--port=1"], "--port"],
    [["edge"], "edge"],
    [["--help=yes"], "--help"],
    [["--demo", "--role=edge"], "--demo"],
    [["--demo=yes"], "--demo"],
    [["--config="], "--config"],
    [["--config"], "--config"],
  ])("refuses %j", (words, expected) => expect(parseArguments(words)).toEqual(expect.stringContaining(expected)));

  it("says what is wrong in one line, whatever the words", () => {
    assert(
      property(string({ unit: "binary" }), string({ unit: "binary" }), (one, two) => {
        const parsed = parseArguments([`--${one}`, two]);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
        if (typeof parsed === "string") expect(parsed).not.toMatch(/[\x00-\x1f]/);
      }),
    );
  });
});
