import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, constantFrom, dictionary, oneof, property, string } from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DEDUPE_WINDOW_MS } from "../../../broker/broker.ts";
import { type Config, type Environment, parseConfig, ROLES, type Role } from "../../../services/config.ts";
import { BY_NAME } from "../../../services/config-table.ts";
import { DEFAULT_LIMITS, LIMIT_TABLE } from "../../../services/limits.ts";

function valid(env: Environment = {}, role?: Role): Config {
  const parsed = parseConfig(env, role);
  if (!parsed.ok) throw new Error(parsed.mistakes.join("\n"));
  return parsed.config;
}

function mistakes(env: Environment, role?: Role): readonly string[] {
  const parsed = parseConfig(env, role);
  return parsed.ok ? [] : parsed.mistakes;
}

describe("parseConfig: values", () => {
  it("has the documented defaults", () => {
    expect(valid()).toEqual({
      role: "all",
      production: false,
      adminConsole: "off",
      edgePort: 3000,
      edgeWorkers: 1,
      edgeHost: "127.0.0.1",
      edgeId: undefined,
      rpcPort: 8080,
      rpcHost: "127.0.0.1",
      opsPort: 9090,
      opsHost: "127.0.0.1",
      trustProxy: [],
      natsUrl: undefined,
      natsCreds: undefined,
      natsUser: undefined,
      natsPassword: undefined,
      natsToken: undefined,
      natsMinClusterVersion: "2.9.10",
      natsReplicas: undefined,
      natsAdopt: "0",
      natsPrefix: "baccarat",
      dataDir: "./data",
      authMode: "guest",
      jwtSecret: undefined,
      jwksUrl: undefined,
      jwtIssuer: undefined,
      jwtAudience: undefined,
      allowedOrigins: undefined,
      rpcTokens: [],
      rpcTokensFile: undefined,
      roomServiceUrl: undefined,
      roomServiceToken: undefined,
      defaultRoom: "general",
      roomCreation: "open",
      historyMaxMessages: 1_000,
      historyMaxAge: 7 * 86_400_000,
      historyMaxBytes: 10 * 1024 ** 3,
      backupDir: undefined,
      backupEvery: 86_400_000,
      backupKeep: 7,
      configFile: undefined,
      otelExporterOtlpEndpoint: undefined,
      otelExporterOtlpHeaders: {},
      otelServiceName: "baccarat",
      otelTracesSampler: "parentbased_traceidratio",
      otelTracesSamplerArg: 0.01,
      drainSeconds: undefined,
      tlsCertFile: undefined,
      tlsKeyFile: undefined,
      rpcTlsCertFile: undefined,
      rpcTlsKeyFile: undefined,
      rpcClientCaFile: undefined,
      roomServiceCaFile: undefined,
      roomServiceCertFile: undefined,
      roomServiceKeyFile: undefined,
      natsTlsCa: undefined,
      natsTlsCert: undefined,
      natsTlsKey: undefined,
      insecureRpc: undefined,
      insecureNats: undefined,
      nodeEnv: "development",
      nodeOptions: undefined,
      nodeTlsRejectUnauthorized: undefined,
      logLevel: "info",
      limits: DEFAULT_LIMITS,
    });
  });

  it.each<[string, string, (config: Config) => unknown, unknown]>([
    ["EDGE_PORT", "0", (c) => c.edgePort, 0],
    ["EDGE_PORT", "65535", (c) => c.edgePort, 65_535],
    ["EDGE_HOST", "0.0.0.0", (c) => c.edgeHost, "0.0.0.0"],
    ["EDGE_HOST", "::", (c) => c.edgeHost, "::"],
    ["OPS_HOST", "ops.internal", (c) => c.opsHost, "ops.internal"],
    ["TRUST_PROXY", "10.0.0.0/8", (c) => c.trustProxy, [{ address: "10.0.0.0", prefix: 8, family: "ipv4" }]],
    ["TRUST_PROXY", "::1", (c) => c.trustProxy, [{ address: "::1", prefix: 128, family: "ipv6" }]],
    ["NATS_URL", "nats://a:4222, b:4222", (c) => c.natsUrl, ["nats://a:4222", "nats://b:4222"]],
    ["NATS_URL", "nats://user:pass@a:4222/", (c) => c.natsUrl, ["nats://user:pass@a:4222"]],
    ["NATS_REPLICAS", "3", (c) => c.natsReplicas, 3],
    ["NATS_PREFIX", "table_1", (c) => c.natsPrefix, "table_1"],
    ["NATS_MIN_CLUSTER_VERSION", "2.12.0", (c) => c.natsMinClusterVersion, "2.12.0"],
    ["DATA_DIR", "/var/lib/rooms", (c) => c.dataDir, "/var/lib/rooms"],
    [
      "ALLOWED_ORIGINS",
      "https://a.example,http://localhost:5173",
      (c) => c.allowedOrigins,
      ["https://a.example", "http://localhost:5173"],
    ],
    ["ALLOWED_ORIGINS", "*", (c) => c.allowedOrigins, ["*"]],
    [
      "RPC_TOKENS",
      "dealer:publish+read:s:e:c",
      (c) => c.rpcTokens,
      [{ name: "dealer", scopes: ["publish", "read"], secret: "s:e:c" }],
    ],
    ["RPC_TOKENS", "a:read:1,b:edge:2", (c) => c.rpcTokens.map((token) => token.name), ["a", "b"]],
    ["ROOM_SERVICE_URL", "http://a:8080/,https://b", (c) => c.roomServiceUrl, ["http://a:8080", "https://b"]],
    ["DEFAULT_ROOM", "lobby:1", (c) => c.defaultRoom, "lobby:1"],
    ["DEFAULT_ROOM", "", (c) => c.defaultRoom, undefined],
    ["ROOM_CREATION", "listed", (c) => c.roomCreation, "listed"],
    ["HISTORY_MAX_MESSAGES", "1", (c) => c.historyMaxMessages, 1],
    ["HISTORY_MAX_AGE", "12h", (c) => c.historyMaxAge, 43_200_000],
    ["HISTORY_MAX_AGE", "30m", (c) => c.historyMaxAge, 1_800_000],
    ["HISTORY_MAX_AGE", "600s", (c) => c.historyMaxAge, 600_000],
    ["HISTORY_MAX_BYTES", "64KiB", (c) => c.historyMaxBytes, 65_536],
    ["HISTORY_MAX_BYTES", "1048576", (c) => c.historyMaxBytes, 1_048_576],
    ["EDGE_ID", "edge-1.eu", (c) => c.edgeId, "edge-1.eu"],
    ["LOG_LEVEL", "debug", (c) => c.logLevel, "debug"],
    ["MAX_FRAME_BYTES", "64KiB", (c) => c.limits.maxFrameBytes, 65_536],
    ["MESSAGES_PER_SECOND", "1", (c) => c.limits.messagesPerSecond, 1],
  ])("%s=%s", (name, text, pick, expected) => {
    expect(pick(valid({ [name]: text }))).toEqual(expected);
  });

  it.each<[string, string, string]>([
    ["EDGE_PORT", "65536", "must be a whole number from 0 to 65535"],
    ["EDGE_PORT", "-1", "must be a whole number"],
    ["EDGE_PORT", "3e3", "must be a whole number"],
    ["EDGE_PORT", " 3000", "must be a whole number"],
    ["EDGE_PORT", "tcp://10.0.0.1:3000", "Kubernetes"],
    ["EDGE_HOST", "[::1]", "without brackets"],
    ["EDGE_HOST", "1.2.3", "IP address"],
    ["EDGE_HOST", "a b", "IP address"],
    ["TRUST_PROXY", "true", "10.0.0.0/8"],
    ["TRUST_PROXY", "10.0.0.0/33", "10.0.0.0/8"],
    ["TRUST_PROXY", "10.0.0.0/8/8", "10.0.0.0/8"],
    ["TRUST_PROXY", "10.0.0.0/", "10.0.0.0/8"],
    ["NATS_URL", "http://a:4222", "nats://host:port"],
    ["NATS_URL", ",", "list without items"],
    ["NATS_REPLICAS", "0", "from 1 to 5"],
    ["NATS_PREFIX", "a.b", "1 to 32"],
    ["NATS_MIN_CLUSTER_VERSION", "2.12", "version like 2.9.10"],
    ["NATS_MIN_CLUSTER_VERSION", "v2.12.0", "version like 2.9.10"],
    ["NATS_MIN_CLUSTER_VERSION", "2.9.9", "not below it"],
    ["DATA_DIR", "a\0b", "control characters"],
    ["AUTH_MODE", "none", "guest or jwt"],
    ["JWKS_URL", "file:///etc/passwd", "https://host:port"],
    ["ALLOWED_ORIGINS", "a.example", "exact origins"],
    ["ALLOWED_ORIGINS", "https://*.example", "exact origins"],
    ["ALLOWED_ORIGINS", "null", "exact origins"],
    ["ALLOWED_ORIGINS", "https://A.example/", "https://a.example"],
    ["RPC_TOKENS", "secret", "name:scope+scope:secret"],
    ["RPC_TOKENS", "a:read:", "name:scope+scope:secret"],
    ["RPC_TOKENS", "a b:read:x", "name is not"],
    ["RPC_TOKENS", "a:write:x", "scope that is not read, publish, admin, edge"],
    ["RPC_TOKENS", "a::x", "scope that is not"],
    ["RPC_TOKENS", "a:read:same,b:read:same", "the same secret"],
    ["ROOM_SERVICE_URL", "a:8080", "http://host:port"],
    ["ROOM_SERVICE_URL", "http://a?b", "without ?"],
    ["ROOM_SERVICE_URL", "http://u:p@a", "no user and password"],
    ["ROOM_SERVICE_TOKEN", "a b", "printable"],
    ["DEFAULT_ROOM", "a b", "room id"],
    ["DEFAULT_ROOM", "direct:a:b", "room id"],
    ["ROOM_CREATION", "closed", "open or listed"],
    ["HISTORY_MAX_MESSAGES", "0", "from 1"],
    ["HISTORY_MAX_AGE", "604800", "with a unit"],
    ["HISTORY_MAX_AGE", "7 days", "with a unit"],
    ["HISTORY_MAX_AGE", "1s", "from 3m to 3650d"],
    ["HISTORY_MAX_BYTES", "10GB", "10GiB"],
    ["HISTORY_MAX_BYTES", "1KiB", "from 64KiB"],
    ["EDGE_ID", "a/b", "1 to 64"],
    ["NODE_ENV", "prod", "production"],
    ["NODE_ENV", "Production", "production"],
    ["NODE_ENV", "prodcution", "production"],
    ["INSECURE_RPC", "1", "must be i-terminate-tls-elsewhere"],
    ["INSECURE_NATS", "true", "must be i-terminate-tls-elsewhere"],
    ["LOG_LEVEL", "verbose", "trace, debug, info, warn, error or fatal"],
    ["MAX_FRAME_BYTES", "0", "from 1KiB to 1MiB"],
    ["MESSAGES_PER_SECOND", "0", "from 1 to 1000000"],
    ["MESSAGES_PER_SECOND", "unlimited", "from 1 to 1000000"],
  ])("refuses %s=%s", (name, text, expected) => {
    const lines = mistakes({ [name]: text });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(expected);
    expect(lines[0]?.startsWith(`${name}: `)).toBe(true);
  });

  it.each(["development", "test", "staging", "ci", "preview"])("lets NODE_ENV=%s pass", (word) => {
    expect(valid({ NODE_ENV: word }).production).toBe(false);
  });

  it("accepts each limit's bounds and refuses what is beyond them, 0 included", () => {
    for (const [key, row] of Object.entries(LIMIT_TABLE)) {
      const name = key.replace(/[A-Z]/g, "_$&").toUpperCase();
      for (const good of [row.min, row.max]) expect(valid({ [name]: String(good) }).limits).toHaveProperty(key, good);
      for (const bad of [0, row.min - 1, row.max + 1]) expect(mistakes({ [name]: String(bad) })).toHaveLength(1);
    }
  });

  it("never shows a secret", () => {
    const secret = "hunter2";
    const lines = mistakes({
      NATS_URL: `http://user:${secret}@a`,
      NATS_PASSWORD: `${secret}\n`,
      JWT_SECRET: `${secret}\n`,
      RPC_TOKENS: `a:write:${secret}`,
      ROOM_SERVICE_TOKEN: `${secret} `,
      OTEL_EXPORTER_OTLP_HEADERS: secret,
      OTEL_EXPORTER_OTLP_ENDPOINT: `https://user:${secret}@collector`,
      JWKS_URL: `https://user:${secret}@issuer`,
      ROOM_SERVICE_URL: `http://room-1,http://user:${secret}@room-2`,
    });
    expect(lines).toHaveLength(9);
    expect(lines.join("\n")).not.toContain(secret);
  });

  it("keeps every mistake on a line of its own", () => {
    const lines = mistakes({ DEFAULT_ROOM: "a\nb\u001b[31m\u009b", "EDGE_POR\n": "1", LOG_LEVEL: "x".repeat(1_000) });
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(line).toMatch(/^[\x20-\x7e…]{1,300}$/);
  });

  it("counts an empty variable as unset", () => {
    const empty = Object.fromEntries([...BY_NAME.keys()].map((name) => [name, ""]));
    expect(valid(empty)).toEqual({ ...valid(), defaultRoom: undefined });
  });

  it("keeps what JetStream refuses to keep shorter than the dedupe window", () => {
    expect(valid({ HISTORY_MAX_AGE: "3m" }).historyMaxAge).toBeGreaterThan(DEDUPE_WINDOW_MS);
  });

  it("is frozen throughout", () => {
    const config = valid({ RPC_TOKENS: "a:read:x", TRUST_PROXY: "10.0.0.0/8" });
    const inner = [config, config.limits, config.rpcTokens, config.rpcTokens[0], config.rpcTokens[0]?.scopes];
    for (const value of [...inner, config.trustProxy, config.trustProxy[0]]) expect(Object.isFrozen(value)).toBe(true);
  });

  it("never throws, whatever the environment", () => {
    const names = oneof(constantFrom(...BY_NAME.keys()), string());
    const texts = oneof(
      string({ unit: "binary" }),
      string({ unit: constantFrom(..."0123456789smhdKMGiB:,/+*.@-[] tcp") }),
      constantFrom("__proto__", "constructor", "nats://", "http://", "1e999", "a:read:b", "::/0", "https://\u0000"),
    );
    assert(
      property(dictionary(names, texts), constantFrom(...ROLES), (env, role) => {
        const parsed = parseConfig(env, role);
        if (parsed.ok) expect(parsed.config.role).toBe(role);
        else expect(parsed.mistakes.length).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });
});

describe("parseConfig: RPC_TOKENS_FILE", () => {
  let directory: string;
  const file = (text: string): string => {
    const path = join(directory, "tokens");
    writeFileSync(path, text);
    return path;
  };
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "tokens-"));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it("adds a token a line or comma", () => {
    const path = file("# dealers\r\na:read:1\n\nb:publish:2, c:admin:3\n");
    const config = valid({ RPC_TOKENS: "first:edge:0", RPC_TOKENS_FILE: path });
    expect(config.rpcTokens.map((token) => token.name)).toEqual(["first", "a", "b", "c"]);
  });

  it.each([
    ["", "list without items"],
    ["a:read:1\nb:nothing:hunter2", "token b has a scope"],
  ])("refuses %j", (text, expected) => {
    const lines = mistakes({ RPC_TOKENS_FILE: file(text) });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(`RPC_TOKENS_FILE: `);
    expect(lines[0]).toContain(expected);
    expect(lines[0]).not.toContain("hunter2");
  });

  it("says why a file cannot be read", () => {
    expect(mistakes({ RPC_TOKENS_FILE: join(directory, "missing") })[0]).toContain("ENOENT");
  });
});

describe("parseConfig: rules", () => {
  it.each<[string, Role, Environment, readonly string[]]>([
    ["edge alone", "edge", {}, ["NATS_URL", "ROOM_SERVICE_URL"]],
    ["edge without RoomServices", "edge", { NATS_URL: "a:4222" }, ["ROOM_SERVICE_URL"]],
    ["edge", "edge", { NATS_URL: "a:4222", ROOM_SERVICE_URL: "http://r" }, []],
    ["room alone", "room", {}, ["NATS_URL"]],
    ["room", "room", { NATS_URL: "a:4222" }, []],
    ["NATS credentials without NATS", "all", { NATS_CREDS: "f" }, ["NATS_CREDS"]],
    ["user without password", "all", { NATS_URL: "a:1", NATS_USER: "u" }, ["NATS_USER"]],
    ["two ways to log in", "all", { NATS_URL: "a:1", NATS_CREDS: "f", NATS_TOKEN: "t" }, ["NATS_TOKEN"]],
    ["jwt without keys", "all", { AUTH_MODE: "jwt" }, ["AUTH_MODE"]],
    ["jwt with two kinds", "all", { AUTH_MODE: "jwt", JWT_SECRET: "s", JWKS_URL: "https://k" }, ["AUTH_MODE"]],
    ["jwt with a secret", "all", { AUTH_MODE: "jwt", JWT_SECRET: "s" }, []],
    ["open RPC", "all", { RPC_HOST: "0.0.0.0" }, ["RPC_HOST"]],
    ["open RPC on a name", "all", { RPC_HOST: "rpc.internal" }, ["RPC_HOST"]],
    ["RPC with tokens", "all", { RPC_HOST: "::", RPC_TOKENS: "a:read:b" }, []],
    ["RPC on loopback", "all", { RPC_HOST: "::1" }, []],
    ["an edge has no RPC", "edge", { RPC_HOST: "::", NATS_URL: "a", ROOM_SERVICE_URL: "http://r" }, []],
    ["two on one port", "all", { EDGE_PORT: "9", RPC_PORT: "9", OPS_PORT: "9" }, ["RPC_PORT", "OPS_PORT", "OPS_PORT"]],
    ["two on port 0", "all", { EDGE_PORT: "0", RPC_PORT: "0", OPS_PORT: "0" }, []],
    ["a bad value does not hide others", "all", { RPC_HOST: "0.0.0.0", RPC_TOKENS: "x" }, ["RPC_TOKENS", "RPC_HOST"]],
    ["a bad value hides its own rules", "room", { NATS_URL: "http://a" }, ["NATS_URL"]],
  ])("%s (role %s)", (_, role, env, names) => {
    expect(mistakes(env, role).map((line) => line.split(":", 1)[0])).toEqual(names);
  });
});
