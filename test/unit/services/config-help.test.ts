import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../services/config.ts";
import { configDocs, configHelp, describeSettings, printSettings } from "../../../services/config-help.ts";
import { BY_NAME } from "../../../services/config-table.ts";

describe("the help", () => {
  it("has every variable with its meaning", () => {
    for (const [name, row] of BY_NAME) {
      for (const text of [configHelp(), configDocs()]) {
        expect(text).toContain(name);
        expect(text).toContain(row.meaning);
      }
    }
  });

  it("names the flags", () => {
    for (const flag of ["--role=all", "--role=edge", "--role=room", "--check-config", "--help"]) {
      expect(configHelp()).toContain(flag);
    }
  });
});

describe("configDocs", () => {
  it("is what docs/configuration.md says", () => {
    expect(readFileSync("docs/configuration.md", "utf8")).toBe(configDocs());
  });

  it("has the documented defaults", () => {
    for (const row of [
      "`EDGE_PORT` | `3000`",
      "`AUTH_MODE` | `guest`",
      "`ROOM_CREATION` | open; listed in production",
    ]) {
      expect(configDocs()).toContain(row);
    }
  });
});

describe("describeSettings", () => {
  it("shows each value, whose it is, and no secret", () => {
    const text = describeSettings({ EDGE_PORT: "1", DEFAULT_ROOM: "", RPC_PORT: "", JWT_SECRET: "hunter2" });
    expect(text).toMatch(/^EDGE_PORT +1$/m);
    expect(text).toMatch(/^RPC_PORT +8080 \(default\)$/m);
    expect(text).toMatch(/^DEFAULT_ROOM +\(empty\)$/m);
    expect(text).toMatch(/^JWT_SECRET +\(set, not shown\)$/m);
    expect(text).not.toContain("hunter2");
    expect(text.trimEnd().split("\n")).toHaveLength(BY_NAME.size);
  });
});

describe("printSettings", () => {
  const secrets = {
    JWT_SECRET: "hunter2-hunter2-hunter2-hunter2-hunter2",
    RPC_TOKENS: "ops:admin:also-a-secret-of-thirty-two-bytes",
  };

  function printed(env: Record<string, string>): string {
    const parsed = parseConfig(env);
    if (!parsed.ok) throw new Error(parsed.mistakes.join("; "));
    return printSettings(env, parsed.config);
  }

  it("is an environment file that gives the same configuration, but for secrets", () => {
    const env = { EDGE_PORT: "1234", DEFAULT_ROOM: "", HISTORY_MAX_AGE: "2d", TRUST_PROXY: "10.0.0.0/8" };
    const lines = printed(env)
      .split("\n")
      .filter((line) => /^[A-Z]/.test(line));
    const again = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s, 2)));
    expect(parseConfig(again)).toEqual(parseConfig(env));
  });

  it("shows no secret", () => {
    const text = printed(secrets);
    expect(text).toContain("# JWT_SECRET is set, and not shown");
    expect(text).not.toMatch(/hunter2|also-a-secret/);
  });

  it("shows defaults that follow from other settings", () => {
    const env = { ...secrets, NODE_ENV: "production", AUTH_MODE: "jwt", JWT_ISSUER: "i", JWT_AUDIENCE: "a" };
    expect(printed(env)).toContain("\nROOM_CREATION=listed\n");
    expect(printed({})).toContain("\nROOM_CREATION=open\n");
  });
});
