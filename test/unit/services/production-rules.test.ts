import { describe, expect, it } from "vitest";
import { type Environment, parseConfig, ROLES, type Role } from "../../../services/config.ts";
import type { Started } from "../../../services/config-rule.ts";
import { type Certificates, makeCertificates } from "../../support/certificates.ts";

const SECRET = "a-secret-of-more-than-thirty-two-bytes";

const SAFE: Environment = {
  NODE_ENV: "production",
  AUTH_MODE: "jwt",
  JWT_SECRET: SECRET,
  JWT_ISSUER: "https://issuer.example",
  JWT_AUDIENCE: "rooms",
  RPC_TOKENS: `dealer:publish:${SECRET}`,
};
const CLUSTER: Environment = {
  ...SAFE,
  NATS_URL: "tls://a:4222",
  NATS_USER: "rooms",
  NATS_PASSWORD: "x",
  ROOM_SERVICE_URL: "https://room:8080",
  ROOM_SERVICE_TOKEN: SECRET,
};
/** What INSECURE_RPC and INSECURE_NATS must say. */
const ELSEWHERE = "i-terminate-tls-elsewhere";
const LOGGED_OUT = { NATS_USER: "", NATS_PASSWORD: "" };

function mistakes(env: Environment, role?: Role, started?: Started): readonly string[] {
  const parsed = parseConfig(env, role, started);
  return parsed.ok ? [] : parsed.mistakes;
}

const safe = (role: Role): Environment => (role === "all" ? SAFE : CLUSTER);

describe("production", () => {
  it.each(ROLES)("starts with safe settings (role %s)", (role) => {
    const started = { flags: ["--disable-warning=ExperimentalWarning"], nodeVersion: "24.14.1", demo: false };
    expect(mistakes(safe(role), role, started)).toEqual([]);
  });

  it("has only listed rooms, unless told otherwise", () => {
    for (const [env, expected] of [
      [SAFE, "listed"],
      [{ ...SAFE, ROOM_CREATION: "open" }, "open"],
    ] as const) {
      expect(parseConfig(env)).toMatchObject({ ok: true, config: { roomCreation: expected } });
    }
  });

  it("says everything at once", () => {
    const env = { NODE_ENV: "production", ALLOWED_ORIGINS: "*", TRUST_PROXY: "0.0.0.0/0", RPC_HOST: "0.0.0.0" };
    const names = mistakes(env, "all", { demo: true }).map((line) => line.split(":", 1)[0]);
    expect(names).toEqual([
      ...["RPC_HOST", "AUTH_MODE", "ALLOWED_ORIGINS", "TRUST_PROXY", "RPC_TOKENS", "RPC_TLS_CERT_FILE", "--demo"],
    ]);
  });

  it.each<[string, Role, Environment, string]>([
    ["guests", "all", { AUTH_MODE: "guest" }, "AUTH_MODE: production does not let guests in; set AUTH_MODE=jwt"],
    ["no key for tokens", "all", { JWT_SECRET: "" }, "AUTH_MODE: jwt needs either JWT_SECRET or JWKS_URL"],
    ["two kinds of keys", "all", { JWKS_URL: "https://k.example/keys" }, "AUTH_MODE: jwt needs either"],
    ["a short JWT secret", "all", { JWT_SECRET: "x".repeat(31) }, "JWT_SECRET: has a secret of 31 bytes"],
    [
      "a sample JWT secret",
      "all",
      { JWT_SECRET: "changeme".repeat(4) },
      "JWT_SECRET: has a secret that everybody knows",
    ],
    ["no issuer", "all", { JWT_ISSUER: "" }, "JWT_ISSUER:"],
    ["no audience", "all", { JWT_AUDIENCE: "" }, "JWT_AUDIENCE:"],
    ["keys over http", "all", { JWT_SECRET: "", JWKS_URL: "http://k.example/keys" }, "JWKS_URL:"],
    ["any origin", "all", { ALLOWED_ORIGINS: "*" }, "ALLOWED_ORIGINS: production does not allow every origin"],
    ["the origin null", "all", { ALLOWED_ORIGINS: "null" }, "ALLOWED_ORIGINS:"],
    ["origins by pattern", "all", { ALLOWED_ORIGINS: "https://.*\\.a\\.example" }, "ALLOWED_ORIGINS:"],
    ["http origins", "all", { ALLOWED_ORIGINS: "http://a.example" }, "ALLOWED_ORIGINS: production allows https"],
    ["trust in everybody", "all", { TRUST_PROXY: "::/0" }, "TRUST_PROXY:"],
    ["trust in anything", "all", { TRUST_PROXY: "true" }, "TRUST_PROXY:"],
    ["no RPC tokens", "all", { RPC_TOKENS: "" }, "RPC_TOKENS: production needs tokens"],
    ["a short RPC token", "room", { RPC_TOKENS: "dealer:read:short" }, "RPC_TOKENS: token dealer: has a secret of 5"],
    [
      "a sample RPC token",
      "room",
      { RPC_TOKENS: `a:read:${SECRET},ops:admin:replace-me-with-a-secret-of-32-bytes` },
      "RPC_TOKENS: token ops: has a secret that everybody knows",
    ],
    [
      "RPC in the clear",
      "all",
      { RPC_HOST: "0.0.0.0" },
      "RPC_TLS_CERT_FILE: production needs it where RPC_HOST (0.0.0.0)",
    ],
    ["RPC in the clear to a name", "room", { RPC_HOST: "rpc.internal" }, "say INSECURE_RPC=i-terminate-tls-elsewhere"],
    [
      "RoomServices over http",
      "edge",
      { ROOM_SERVICE_URL: "https://a,http://b" },
      "ROOM_SERVICE_URL: production needs",
    ],
    ["no RoomService token", "edge", { ROOM_SERVICE_TOKEN: "" }, "ROOM_SERVICE_TOKEN: production needs it"],
    ["a short RoomService token", "edge", { ROOM_SERVICE_TOKEN: "short" }, "ROOM_SERVICE_TOKEN: has a secret of 5"],
    ["open NATS", "room", LOGGED_OUT, "NATS_URL: production needs credentials"],
    [
      "open NATS on loopback",
      "room",
      { ...LOGGED_OUT, NATS_URL: "127.0.0.1" },
      "NATS_URL: production needs credentials",
    ],
    ["NATS in the clear", "edge", { NATS_URL: "nats://a:4222" }, "NATS_URL: production needs tls://"],
    ["NATS in the clear, by host", "room", { NATS_URL: "127.0.0.1:1,10.0.0.1:1" }, "INSECURE_NATS="],
    ["a sample NATS password", "room", { NATS_PASSWORD: "s3cr3t" }, "NATS_PASSWORD: is one that everybody knows"],
    ["a sample NATS token", "room", { ...LOGGED_OUT, NATS_TOKEN: "changeme" }, "NATS_TOKEN: is one that everybody"],
    [
      "a sample password in the URL",
      "room",
      { ...LOGGED_OUT, NATS_URL: "tls://u:password@a" },
      "NATS_URL: has a password",
    ],
    ["a sample token in the URL", "room", { ...LOGGED_OUT, NATS_URL: "tls://secret@a" }, "NATS_URL: has a password"],
    [
      "one copy in a cluster",
      "room",
      { NATS_URL: "tls://a,b,c", NATS_REPLICAS: "1" },
      "NATS_REPLICAS: production keeps 3",
    ],
    [
      "a debugger",
      "all",
      { NODE_OPTIONS: "--enable-source-maps --inspect=0.0.0.0:9229" },
      "NODE_OPTIONS: production opens",
    ],
    ["a debugger in quotes", "all", { NODE_OPTIONS: '"--inspect-brk"' }, "NODE_OPTIONS: production opens no debugger"],
    [
      "unchecked certificates",
      "all",
      { NODE_TLS_REJECT_UNAUTHORIZED: "0" },
      "NODE_TLS_REJECT_UNAUTHORIZED: production",
    ],
    ["a limit of nothing", "all", { MAX_FRAME_BYTES: "0" }, "MAX_FRAME_BYTES:"],
    ["a name that is not known", "all", { JWT_SECRTE: "x" }, "JWT_SECRTE: is not known; did you mean JWT_SECRET?"],
    ["history shorter than dedupe", "all", { HISTORY_MAX_AGE: "2m" }, "HISTORY_MAX_AGE:"],
  ])("refuses %s", (_, role, unsafe, expected) => {
    const lines = mistakes({ ...safe(role), ...unsafe }, role);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(expected);
  });

  it.each<[string, Started, string]>([
    ["--inspect", { flags: ["--inspect"] }, "--inspect: production opens no debugger"],
    ["--inspect-brk", { flags: ["--no-warnings", "--inspect-brk=127.0.0.1:0"] }, "--inspect:"],
    ["--inspect-wait", { flags: ["--inspect-wait"] }, "--inspect:"],
    ["--demo", { demo: true }, "--demo: production deals no demonstration"],
    ["an old Node", { nodeVersion: "24.14.0" }, "node: is 24.14.0, which has known weaknesses"],
    ["an older Node", { nodeVersion: "24.9.0" }, "node: is 24.9.0"],
  ])("refuses to be started with %s", (_, started, expected) => {
    const lines = mistakes(SAFE, "all", started);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(expected);
    expect(mistakes({ ...SAFE, NODE_ENV: "development" }, "all", started)).toEqual([]);
  });

  it.each<[string, Role, Environment]>([
    ["credentials in the URL", "room", { ...LOGGED_OUT, NATS_URL: "tls://u:p@a:4222" }],
    ["a token", "room", { ...LOGGED_OUT, NATS_TOKEN: "t" }],
    ["a credentials file", "room", { ...LOGGED_OUT, NATS_CREDS: "f" }],
    ["NATS in the clear on loopback", "room", { NATS_URL: "localhost,127.0.0.1:1,nats://[::1]:2" }],
    ["NATS in the clear when told so", "room", { NATS_URL: "nats://a:4222", INSECURE_NATS: ELSEWHERE }],
    ["one server with tls:// among others", "room", { NATS_URL: "tls://a,nats://b" }],
    ["three copies in a cluster", "room", { NATS_URL: "tls://a,b,c", NATS_REPLICAS: "3" }],
    ["one copy on one server", "room", { NATS_REPLICAS: "1" }],
    ["RPC in the clear when told so", "all", { RPC_HOST: "0.0.0.0", INSECURE_RPC: ELSEWHERE }],
    ["RoomServices over http when told so", "edge", { ROOM_SERVICE_URL: "http://a", INSECURE_RPC: ELSEWHERE }],
    ["RoomServices over http on loopback", "edge", { ROOM_SERVICE_URL: "http://127.0.0.1:1,http://[::1]:2" }],
    ["http origins on loopback", "edge", { ALLOWED_ORIGINS: "http://localhost:3000,http://[::1]:3000" }],
    ["a secret of 32 bytes", "edge", { JWT_SECRET: "x".repeat(32) }],
    ["a port for a debugger that is not opened", "all", { NODE_OPTIONS: "--inspect-port=0 --max-old-space-size=512" }],
  ])("accepts %s", (_, role, env) => {
    expect(mistakes({ ...safe(role), ...env }, role)).toEqual([]);
  });

  it("accepts certificates in the place of passwords and of overrides", async () => {
    using files: Certificates = await makeCertificates();
    const { cert, key } = files.client;
    const nats = { ...LOGGED_OUT, NATS_URL: "nats://a", NATS_TLS_CERT: cert, NATS_TLS_KEY: key };
    expect(mistakes({ ...CLUSTER, ...nats }, "room")).toEqual([]);
    expect(mistakes({ ...CLUSTER, NATS_URL: "nats://a", NATS_TLS_CA: files.ca }, "room")).toEqual([]);
    const rpc = { RPC_HOST: "::", RPC_TLS_CERT_FILE: files.server.cert, RPC_TLS_KEY_FILE: files.server.key };
    expect(mistakes({ ...SAFE, ...rpc })).toEqual([]);
  });

  it("shows no secret while it refuses", () => {
    const env = {
      ...CLUSTER,
      JWT_SECRET: "supersecret".repeat(3),
      NATS_URL: "nats://u:letmein@a",
      RPC_TOKENS: "a:read:hunter2",
    };
    const lines = mistakes({ ...env, ...LOGGED_OUT }, "room").concat(mistakes(env, "edge"));
    expect(lines.length).toBeGreaterThanOrEqual(5);
    expect(lines.join("\n")).not.toMatch(/supersecret|letmein|hunter2/);
  });
});
