import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Environment, parseConfig } from "../../../services/config.ts";
import { parseConfigFile } from "../../../services/config-file.ts";
import { describeSettings, printSettings } from "../../../services/config-help.ts";

const directory = mkdtempSync(join(tmpdir(), "baccarat-config-"));
afterAll(() => rmSync(directory, { recursive: true }));
let files = 0;

/** A file with these lines. */
function fileOf(...lines: string[]): string {
  const path = join(directory, `${++files}.env`);
  writeFileSync(path, lines.join("\n"));
  return path;
}

function mistakes(env: Environment): readonly string[] {
  const parsed = parseConfig(env);
  return parsed.ok ? [] : parsed.mistakes;
}

describe("a file of settings", () => {
  it("is read as --env-file is, and the environment wins over it", () => {
    const path = fileOf(
      "# ours",
      "",
      "EDGE_PORT=1234 # a comment",
      "export LOG_LEVEL=warn",
      "RPC_PORT = '8181'",
      'JWT_AUDIENCE="with # and spaces"',
      "OPS_PORT=1",
      "DEFAULT_ROOM=lobby",
      "DATA_DIR=here",
    );
    const env = { CONFIG_FILE: path, OPS_PORT: "9191", DEFAULT_ROOM: "", DATA_DIR: "" };
    const parsed = parseConfig(env);
    expect(parsed.ok && parsed.config).toMatchObject({
      edgePort: 1234,
      logLevel: "warn",
      rpcPort: 8181,
      jwtAudience: "with # and spaces",
      opsPort: 9191,
      // Empty is a value of its own for the first, and says nothing for the second.
      defaultRoom: undefined,
      dataDir: "here",
      configFile: path,
    });
  });

  it("may be named by --config, which wins over CONFIG_FILE", () => {
    const [one, two] = [fileOf("EDGE_PORT=1"), fileOf("EDGE_PORT=2")];
    const parsed = parseConfig({ CONFIG_FILE: one }, "all", { configFile: two });
    expect(parsed.ok && parsed.config).toMatchObject({ edgePort: 2, configFile: two });
  });

  it("says where each mistake is, and shows no secret", () => {
    const path = fileOf(
      "EDGE_PORT=many",
      "EGDE_HOST=::1",
      "BACCARAT_LOG_LEVEL=warn",
      "SOMETHING_ELSE=1",
      "just words",
      "LOG_LEVEL=info",
      "LOG_LEVEL=warn",
      "CONFIG_FILE=other.env",
      "RPC_TOKENS=hunter2",
      "NATS_USER=ann",
    );
    expect(mistakes({ CONFIG_FILE: path, NODE_ENV: "test" })).toEqual([
      `${path}:2: EGDE_HOST: is not known; did you mean EDGE_HOST?`,
      `${path}:3: BACCARAT_LOG_LEVEL: is not known; did you mean LOG_LEVEL?`,
      `${path}:4: SOMETHING_ELSE: is not known; --help lists those that exist`,
      `${path}:5: CONFIG_FILE: is no line like NAME=value`,
      `${path}:7: LOG_LEVEL: stands in line 6 already`,
      `${path}:8: CONFIG_FILE: cannot name another file from within one`,
      `${path}:1: EDGE_PORT: "many" must be a whole number from 0 to 65535`,
      `${path}:9: RPC_TOKENS: must be name:scope+scope:secret`,
      `${path}:10: NATS_USER: has no effect without NATS_URL`,
      `${path}:10: NATS_USER: goes together with NATS_PASSWORD`,
    ]);
  });

  it("blames the environment for what it says, and the file for nothing then", () => {
    const path = fileOf("EDGE_PORT=1");
    expect(mistakes({ CONFIG_FILE: path, EDGE_PORT: "x" })).toEqual([
      'EDGE_PORT: "x" must be a whole number from 0 to 65535',
    ]);
  });

  it("must be there", () => {
    const path = join(directory, "none.env");
    expect(mistakes({ CONFIG_FILE: path })).toEqual([
      expect.stringMatching(/^CONFIG_FILE: .*none\.env cannot be read/),
    ]);
    expect(mistakes({ CONFIG_FILE: directory })).toEqual([expect.stringMatching(/^CONFIG_FILE: /)]);
  });

  it("may have values of several lines in quotes, which must end", () => {
    const { values, lines } = parseConfigFile("a", 'RPC_TOKENS="one\nEDGE_PORT=no setting\n"\nLOG_LEVEL=warn\n');
    expect(values).toEqual({ RPC_TOKENS: "one\nEDGE_PORT=no setting\n", LOG_LEVEL: "warn" });
    expect([...lines]).toEqual([
      ["RPC_TOKENS", 1],
      ["LOG_LEVEL", 4],
    ]);
    expect(parseConfigFile("a", "JWT_ISSUER='never\n").mistakes).toMatchObject([
      { where: "a:1", text: "has a quote that does not end" },
    ]);
  });
});

describe("what is shown of it", () => {
  const path = fileOf("EDGE_PORT=1234", "JWT_SECRET=hunter2-hunter2", "RPC_TOKENS=", "DEFAULT_ROOM=");
  const env = { CONFIG_FILE: path, JWT_AUDIENCE: "a # b", LOG_LEVEL: "" };
  const parsed = parseConfig(env);
  if (!parsed.ok) throw new Error(parsed.mistakes.join("; "));

  it("says where each value comes from", () => {
    const text = describeSettings(env, parsed.file);
    expect(text).toContain(`1234 (${path}:1)\n`);
    expect(text).toContain(`(set, not shown) (${path}:2)\n`);
    expect(text).toMatch(/^RPC_TOKENS .*\(default\)$/m);
    expect(text).toMatch(/^JWT_AUDIENCE +a # b$/m);
  });

  it("is a file that gives the same configuration, but for secrets", () => {
    const printed = printSettings(env, parsed.config, parsed.file);
    expect(printed).not.toContain("hunter2");
    const [, environment = "", file = "", defaults = ""] = printed.split(/^# (?:From .*|Defaults)$/m);
    expect(environment).toBe(`\nJWT_AUDIENCE='a # b'\n# CONFIG_FILE is ${path}\n\n`);
    expect(file).toBe("\nEDGE_PORT=1234\n# JWT_SECRET is set, and not shown\nDEFAULT_ROOM=\n\n");
    expect(defaults).toContain("\nLOG_LEVEL=info\n");
    const again = parseConfig({ CONFIG_FILE: fileOf(printed) });
    expect(again.ok && { ...again.config, configFile: path, jwtSecret: "hunter2-hunter2" }).toEqual(parsed.config);
  });
});
