import type { Config } from "./config.ts";
import { HAS_EDGE, HAS_RPC, type Mistake, natsLogins, type Rule, type Started } from "./config-rule.ts";
import { environmentName } from "./config-table.ts";
import { isLoopback } from "./config-values.ts";
import { PRODUCTION_RULES } from "./production-rules.ts";
import { pairProblem } from "./tls-files.ts";

/** An EDGE_ID of 64 without `-128`. */
const WORKER_EDGE_ID = 60;

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
    name: "BACKUP_DIR",
    broken: (c) =>
      c.backupDir !== undefined && c.natsUrl !== undefined && "has no effect with NATS_URL: see roomctl backup",
  },
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
    name: "EDGE_WORKERS",
    roles: ["all"],
    broken: (c) =>
      c.edgeWorkers > 1 &&
      "role all is one process: run a RoomService (npm run start:room) and edges with workers (npm run start:edge) on NATS",
  },
  {
    name: "EDGE_ID",
    roles: ["edge"],
    broken: (c) =>
      c.edgeWorkers > 1 &&
      (c.edgeId?.length ?? 0) > WORKER_EDGE_ID &&
      `has at most ${WORKER_EDGE_ID} characters with EDGE_WORKERS, which appends the number of the worker`,
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
];

/** Finds settings that contradict each other or the role, and in production those that are unsafe. */
export function findBrokenRules(config: Config, started: Started = {}): Mistake[] {
  return [...RULES, ...(config.production ? PRODUCTION_RULES : [])].flatMap((rule) => {
    if (rule.roles?.includes(config.role) === false) return [];
    const broken = rule.broken(config, started);
    return broken === false ? [] : [broken].flat().map((text) => ({ name: rule.name, text }));
  });
}

function sameListener(portA: number, hostA: string, portB: number, hostB: string): boolean {
  return portA !== 0 && portA === portB && hostA === hostB;
}
