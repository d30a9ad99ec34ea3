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
  const SECRETS = {
    JWT_SECRET: "hunter2-hunter2-hunter2-hunter2-hunter2",
    RPC_TOKENS: "ops:admin:hunter2-of-more-than-thirty-two-bytes",
    NATS_URL: "nats://hunter2@a",
    NATS_PASSWORD: "hunter2",
    NATS_TOKEN: "hunter2",
    ROOM_SERVICE_TOKEN: "hunter2-too",
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=hunter2",
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

  it("shows no secret, of all there are", () => {
    const named = [...BY_NAME].filter(([, row]) => row.secret).map(([name]) => name);
    expect(named.sort()).toEqual([...Object.keys(SECRETS)].sort());
    // What sounds like a secret is one, or the path of a file that holds one.
    const sounds = [...BY_NAME.keys()].filter((name) => /SECRET|TOKEN|PASSWORD|HEADERS|CREDS|_KEY/.test(name));
    const paths = sounds.filter((name) => /_FILE$|_CREDS$|^NATS_TLS_KEY$/.test(name));
    expect(sounds.filter((name) => !paths.includes(name) && !named.includes(name))).toEqual([]);
    // They exclude each other.
    for (const without of ["NATS_TOKEN", "NATS_PASSWORD"]) {
      const { [without]: _, ...env } = { ...SECRETS, NATS_USER: "u", AUTH_MODE: "jwt" } as Record<string, string>;
      if (without === "NATS_PASSWORD") delete env.NATS_USER;
      for (const text of [printed(env), describeSettings(env)]) expect(text).not.toMatch(/hunter2/);
      expect(printed(env)).toContain("# JWT_SECRET is set, and not shown");
    }
  });

  it("shows defaults that follow from other settings", () => {
    const { JWT_SECRET, RPC_TOKENS } = SECRETS;
    const env = {
      JWT_SECRET,
      RPC_TOKENS,
      NODE_ENV: "production",
      AUTH_MODE: "jwt",
      JWT_ISSUER: "i",
      JWT_AUDIENCE: "a",
    };
    expect(printed(env)).toContain("\nROOM_CREATION=listed\n");
    expect(printed({})).toContain("\nROOM_CREATION=open\n");
  });
});
