import type { Config, Role } from "./config.ts";
import { environmentName } from "./config-table.ts";
import { isLoopback } from "./config-values.ts";
import { pairProblem } from "./tls-files.ts";

/** What is wrong with one variable. */
export interface Mistake {
  /** The variable to change. */
  readonly name: string;
  /** What is wrong and what to do, without secrets. */
  readonly text: string;
}

/** Shortest secret that production accepts: as long as the hash it keys (RFC 7518, 3.2). */
const SECRET_BYTES = 32;

/** A condition over several variables; texts returned are what is wrong. */
interface Rule {
  readonly name: string;
  /** Roles it concerns. Default: all. */
  readonly roles?: readonly Role[];
  /** True when it only holds in production. */
  readonly production?: true;
  readonly broken: (config: Config) => string | readonly string[] | false;
}

const HAS_EDGE: readonly Role[] = ["all", "edge"];
const HAS_RPC: readonly Role[] = ["all", "room"];

/** Certificates and their keys. */
const PAIRS = [
  ["tlsCertFile", "tlsKeyFile"],
  ["rpcTlsCertFile", "rpcTlsKeyFile"],
  ["roomServiceCertFile", "roomServiceKeyFile"],
  ["natsTlsCert", "natsTlsKey"],
] as const;

const RULES: readonly Rule[] = [
  {
    name: "NATS_URL",
    roles: ["edge", "room"],
    broken: (c) => c.natsUrl === undefined && `role ${c.role} needs it: the embedded broker lives in one process`,
  },
  {
    name: "ROOM_SERVICE_URL",
    roles: ["edge"],
    broken: (c) => c.roomServiceUrl === undefined && "role edge needs it, to know where its RoomServices are",
  },
  ...(["natsCreds", "natsUser", "natsPassword", "natsToken"] as const).map(
    (key): Rule => ({
      name: key.replace("nats", "NATS_").toUpperCase(),
      broken: (c) => c[key] !== undefined && c.natsUrl === undefined && "has no effect without NATS_URL",
    }),
  ),
  {
    name: "NATS_USER",
    broken: (c) => (c.natsUser === undefined) !== (c.natsPassword === undefined) && "goes together with NATS_PASSWORD",
  },
  {
    name: "NATS_TOKEN",
    broken: (c) => natsLogins(c).length > 1 && `choose one way to log in to NATS, not ${natsLogins(c).join(" and ")}`,
  },
  ...PAIRS.map(
    ([cert, key]): Rule => ({ name: environmentName(cert), broken: (c) => pairProblem(c[cert], c[key]) ?? false }),
  ),
  {
    name: "RPC_CLIENT_CA_FILE",
    broken: (c) =>
      c.rpcClientCaFile !== undefined && c.rpcTlsCertFile === undefined && "has no effect without RPC_TLS_CERT_FILE",
  },
  ...(["natsTlsCa", "natsTlsCert"] as const).map(
    (key): Rule => ({
      name: environmentName(key),
      broken: (c) => c[key] !== undefined && c.natsUrl === undefined && "has no effect without NATS_URL",
    }),
  ),
  {
    name: "AUTH_MODE",
    roles: HAS_EDGE,
    broken: (c) =>
      c.authMode === "jwt" &&
      (c.jwtSecret === undefined) === (c.jwksUrl === undefined) &&
      "jwt needs either JWT_SECRET or JWKS_URL",
  },
  {
    name: "RPC_PORT",
    roles: ["all"],
    broken: (c) => sameListener(c.rpcPort, c.rpcHost, c.edgePort, c.edgeHost) && "is the same as EDGE_PORT",
  },
  {
    name: "OPS_PORT",
    broken: (c) => [
      ...(HAS_EDGE.includes(c.role) && sameListener(c.opsPort, c.opsHost, c.edgePort, c.edgeHost)
        ? ["is the same as EDGE_PORT"]
        : []),
      ...(HAS_RPC.includes(c.role) && sameListener(c.opsPort, c.opsHost, c.rpcPort, c.rpcHost)
        ? ["is the same as RPC_PORT"]
        : []),
    ],
  },
  {
    name: "RPC_HOST",
    roles: HAS_RPC,
    broken: (c) =>
      !isLoopback(c.rpcHost) && c.rpcTokens.length === 0 && `${c.rpcHost} is not loopback, so RPC_TOKENS is needed`,
  },
  {
    name: "RPC_TOKENS",
    broken: (c) =>
      new Set(c.rpcTokens.map((token) => token.secret)).size < c.rpcTokens.length && "two tokens have the same secret",
  },
  {
    name: "AUTH_MODE",
    roles: HAS_EDGE,
    production: true,
    broken: (c) => c.authMode === "guest" && "production does not let guests in; set AUTH_MODE=jwt",
  },
  {
    name: "JWT_SECRET",
    roles: HAS_EDGE,
    production: true,
    broken: (c) => c.authMode === "jwt" && c.jwtSecret !== undefined && tooShort(c.jwtSecret),
  },
  {
    name: "JWKS_URL",
    roles: HAS_EDGE,
    production: true,
    broken: (c) => c.jwksUrl !== undefined && isPlainHttp(c.jwksUrl) && "production needs https to fetch keys",
  },
  {
    name: "JWT_ISSUER",
    roles: HAS_EDGE,
    production: true,
    broken: (c) => c.authMode === "jwt" && c.jwtIssuer === undefined && "production needs it: who issues the tokens",
  },
  {
    name: "JWT_AUDIENCE",
    roles: HAS_EDGE,
    production: true,
    broken: (c) =>
      c.authMode === "jwt" &&
      c.jwtAudience === undefined &&
      "production needs it, or tokens meant for other services open this one",
  },
  {
    name: "ALLOWED_ORIGINS",
    roles: HAS_EDGE,
    production: true,
    broken: (c) =>
      (c.allowedOrigins ?? []).flatMap((origin) => {
        if (origin === "*") return ["production does not allow every origin; list them"];
        return isPlainHttp(origin) ? [`production allows https origins only, not ${origin}`] : [];
      }),
  },
  {
    name: "TRUST_PROXY",
    roles: HAS_EDGE,
    production: true,
    broken: (c) =>
      c.trustProxy.some((range) => range.prefix === 0) && "production does not trust X-Forwarded-For from everybody",
  },
  {
    name: "RPC_TOKENS",
    roles: HAS_RPC,
    production: true,
    broken: (c) =>
      c.rpcTokens.length === 0
        ? "production needs tokens for the RPC API"
        : c.rpcTokens.flatMap((token) => {
            const problem = tooShort(token.secret);
            return problem === false ? [] : [`token ${token.name}: ${problem}`];
          }),
  },
  {
    name: "ROOM_SERVICE_TOKEN",
    roles: ["edge"],
    production: true,
    broken: (c) => (c.roomServiceToken === undefined ? "production needs it" : tooShort(c.roomServiceToken)),
  },
  {
    name: "NATS_URL",
    production: true,
    broken: (c) =>
      c.natsUrl?.some((server) => natsLogins(c).length === 0 && new URL(server).username === "") === true &&
      "production needs credentials: NATS_CREDS, NATS_USER and NATS_PASSWORD, or NATS_TOKEN",
  },
];

/** Finds settings that contradict each other, the role, or production. */
export function findBrokenRules(config: Config): Mistake[] {
  return RULES.flatMap((rule) => {
    if (rule.roles?.includes(config.role) === false || (rule.production && !config.production)) return [];
    const broken = rule.broken(config);
    return broken === false ? [] : [broken].flat().map((text) => ({ name: rule.name, text }));
  });
}

function tooShort(secret: string): string | false {
  const length = Buffer.byteLength(secret);
  return length < SECRET_BYTES && `has a secret of ${length} bytes; production needs ${SECRET_BYTES} or more`;
}

function natsLogins(config: Config): string[] {
  const logins = { NATS_CREDS: config.natsCreds, NATS_USER: config.natsUser, NATS_TOKEN: config.natsToken };
  return Object.entries(logins).flatMap(([name, value]) => (value === undefined ? [] : [name]));
}

function isPlainHttp(url: string): boolean {
  return url.startsWith("http://") && !isLoopback(new URL(url).hostname.replace(/^\[|\]$/g, ""));
}

function sameListener(portA: number, hostA: string, portB: number, hostB: string): boolean {
  return portA !== 0 && portA === portB && hostA === hostB;
}
