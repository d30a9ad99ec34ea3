import type { Config } from "./config.ts";
import { HAS_EDGE, HAS_RPC, natsLogins, type Rule } from "./config-rule.ts";
import { isLoopback } from "./config-values.ts";
import { isSampleSecret } from "./sample-secrets.ts";

/** Shortest secret that production accepts: as long as the hash it keys (RFC 7518, 3.2). */
const SECRET_BYTES = 32;
/** Oldest Node without a known weakness: CVE-2026-21710, -21714, -21637. */
const OLDEST_NODE = "24.14.1";
/** Servers that make a cluster, in which streams have as many copies. */
const CLUSTER_SERVERS = 3;
const MAKE_ONE = "make one with: openssl rand -hex 32";

/** What production refuses, though it would run. */
export const PRODUCTION_RULES: readonly Rule[] = [
  {
    name: "AUTH_MODE",
    roles: HAS_EDGE,
    broken: (c) => c.authMode === "guest" && "production does not let guests in; set AUTH_MODE=jwt",
  },
  {
    name: "JWT_SECRET",
    roles: HAS_EDGE,
    broken: (c) => c.authMode === "jwt" && c.jwtSecret !== undefined && weak(c.jwtSecret),
  },
  {
    name: "JWKS_URL",
    roles: HAS_EDGE,
    broken: (c) => c.jwksUrl !== undefined && isPlainHttp(c.jwksUrl) && "production needs https to fetch keys",
  },
  {
    name: "JWT_ISSUER",
    roles: HAS_EDGE,
    broken: (c) => c.authMode === "jwt" && c.jwtIssuer === undefined && "production needs it: who issues the tokens",
  },
  {
    name: "JWT_AUDIENCE",
    roles: HAS_EDGE,
    broken: (c) =>
      c.authMode === "jwt" &&
      c.jwtAudience === undefined &&
      "production needs it, or tokens meant for other services open this one",
  },
  {
    name: "ALLOWED_ORIGINS",
    roles: HAS_EDGE,
    broken: (c) =>
      (c.allowedOrigins ?? []).flatMap((origin) => {
        if (origin === "*") return ["production does not allow every origin; list them"];
        return isPlainHttp(origin) ? [`production allows https origins only, not ${origin}`] : [];
      }),
  },
  {
    name: "TRUST_PROXY",
    roles: HAS_EDGE,
    broken: (c) =>
      c.trustProxy.some((range) => range.prefix === 0) &&
      "production does not trust X-Forwarded-For from everybody; list your load balancers",
  },
  {
    name: "RPC_TOKENS",
    roles: HAS_RPC,
    broken: (c) =>
      c.rpcTokens.length === 0
        ? "production needs tokens for the RPC API"
        : c.rpcTokens.flatMap((token) => {
            const problem = weak(token.secret);
            return problem === false ? [] : [`token ${token.name}: ${problem}`];
          }),
  },
  {
    name: "RPC_TLS_CERT_FILE",
    roles: HAS_RPC,
    broken: (c) =>
      !isLoopback(c.rpcHost) &&
      c.rpcTlsCertFile === undefined &&
      c.insecureRpc === undefined &&
      `production needs it where RPC_HOST (${c.rpcHost}) is not loopback, or tokens go over the network in the clear; ${otherwise("INSECURE_RPC")}`,
  },
  {
    name: "ROOM_SERVICE_URL",
    roles: ["edge"],
    broken: (c) =>
      c.insecureRpc === undefined &&
      c.roomServiceUrl?.some(isPlainHttp) === true &&
      `production needs https to RoomServices that are not on loopback; ${otherwise("INSECURE_RPC")}`,
  },
  {
    name: "ROOM_SERVICE_TOKEN",
    roles: ["edge"],
    broken: (c) => (c.roomServiceToken === undefined ? "production needs it" : weak(c.roomServiceToken)),
  },
  {
    name: "NATS_URL",
    broken: (c) =>
      c.natsUrl?.some((server) => natsLogins(c).length === 0 && new URL(server).username === "") === true &&
      c.natsTlsCert === undefined &&
      "production needs credentials: NATS_CREDS, NATS_USER and NATS_PASSWORD, NATS_TOKEN, or a certificate in NATS_TLS_CERT",
  },
  {
    name: "NATS_URL",
    broken: (c) => c.natsUrl?.some(hasSamplePassword) === true && `has a password that everybody knows; ${MAKE_ONE}`,
  },
  {
    name: "NATS_URL",
    broken: (c) =>
      c.insecureNats === undefined &&
      isPlainNats(c) &&
      `production needs tls:// (or NATS_TLS_CA) to servers that are not on loopback; ${otherwise("INSECURE_NATS")}`,
  },
  ...(["natsPassword", "natsToken"] as const).map(
    (key): Rule => ({
      name: key === "natsToken" ? "NATS_TOKEN" : "NATS_PASSWORD",
      broken: (c) => isSampleSecret(c[key] ?? "") && `is one that everybody knows; ${MAKE_ONE}`,
    }),
  ),
  {
    name: "NATS_REPLICAS",
    roles: HAS_RPC,
    broken: (c) =>
      (c.natsUrl?.length ?? 0) >= CLUSTER_SERVERS &&
      c.natsReplicas !== undefined &&
      c.natsReplicas < CLUSTER_SERVERS &&
      `production keeps ${CLUSTER_SERVERS} copies where there are ${CLUSTER_SERVERS} servers, or losing one loses messages; leave it out`,
  },
  {
    name: "NODE_OPTIONS",
    broken: (c) =>
      opensDebugger((c.nodeOptions ?? "").split(/[\s"]+/)) && "production opens no debugger; take --inspect out",
  },
  {
    name: "NODE_TLS_REJECT_UNAUTHORIZED",
    broken: (c) => c.nodeTlsRejectUnauthorized === "0" && "production checks certificates; take it out",
  },
  {
    name: "--inspect",
    broken: (_, { flags = [] }) => opensDebugger(flags) && "production opens no debugger; start node without it",
  },
  {
    name: "--demo",
    broken: (_, { demo }) => demo === true && "production deals no demonstration; leave it out",
  },
  {
    name: "node",
    broken: (_, { nodeVersion: version }) =>
      version !== undefined &&
      version.localeCompare(OLDEST_NODE, "en", { numeric: true }) < 0 &&
      `is ${version}, which has known weaknesses; production needs ${OLDEST_NODE} or newer`,
  },
];

function weak(secret: string): string | false {
  const length = Buffer.byteLength(secret);
  if (length < SECRET_BYTES) {
    return `has a secret of ${length} bytes; production needs ${SECRET_BYTES} or more: ${MAKE_ONE}`;
  }
  return isSampleSecret(secret) && `has a secret that everybody knows; ${MAKE_ONE}`;
}

function otherwise(name: string): string {
  return `where the network is private or encrypts, say ${name}=i-terminate-tls-elsewhere`;
}

function isPlainHttp(url: string): boolean {
  return url.startsWith("http://") && !isLoopback(hostOf(url));
}

/** One server with tls:// makes the client demand it of all. */
function isPlainNats({ natsUrl = [], natsTlsCa, natsTlsCert }: Config): boolean {
  if (natsTlsCa !== undefined || natsTlsCert !== undefined) return false;
  return (
    natsUrl.every((server) => !server.startsWith("tls://")) && natsUrl.some((server) => !isLoopback(hostOf(server)))
  );
}

/** A URL without a password may have a token in the place of the user. */
function hasSamplePassword(server: string): boolean {
  const { username, password } = new URL(server);
  return isSampleSecret(password === "" ? username : password);
}

function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, "");
}

function opensDebugger(flags: readonly string[]): boolean {
  return flags.some((flag) => /^--inspect(?!-port|-publish-uid)/.test(flag));
}
