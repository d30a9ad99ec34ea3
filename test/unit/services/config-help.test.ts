import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { configDocs, configHelp, describeSettings } from "../../../services/config-help.ts";
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
