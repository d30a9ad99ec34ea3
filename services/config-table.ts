import { TLS_VARIABLES } from "./config-tls.ts";
import { TRACING_VARIABLES } from "./config-tracing.ts";
import * as read from "./config-values.ts";
import { given, optional, type Variable } from "./config-variable.ts";
import { LIMIT_TABLE, type LimitRow, type Limits } from "./limits.ts";
import { OLDEST_NATS, RECOMMENDED_IN_CLUSTER } from "./nats-version.ts";

const LISTEN = "Where to listen";
const BROKER = "Broker";
const CLIENTS = "Clients";
const SERVICES = "Services";
const ROOMS = "Rooms and history";
const PROCESS = "Process";
const LIMITS = "Limits";

/** Every variable but the limits. Nothing else is read from the environment. */
export const VARIABLES = {
  edgePort: given({
    group: LISTEN,
    default: "3000",
    meaning: "port of the page and the WebSocket; 0 takes a free one",
    read: read.port,
  }),
  edgeHost: given({
    group: LISTEN,
    default: "127.0.0.1",
    meaning: "address of the page and the WebSocket; loopback until you decide to be reachable",
    read: read.host,
  }),
  rpcPort: given({
    group: LISTEN,
    default: "8080",
    meaning: "port of the RPC API; 0 takes a free one",
    read: read.port,
  }),
  rpcHost: given({
    group: LISTEN,
    default: "127.0.0.1",
    meaning: "address of the RPC API; any other than loopback needs RPC_TOKENS",
    read: read.host,
  }),
  opsPort: given({
    group: LISTEN,
    default: "9090",
    meaning: "port of /livez, /readyz and /metrics; 0 takes a free one",
    read: read.port,
  }),
  opsHost: given({
    group: LISTEN,
    default: "127.0.0.1",
    meaning: "address of /livez, /readyz and /metrics; keep it private",
    read: read.host,
  }),
  trustProxy: given({
    group: LISTEN,
    default: "",
    unset: "nobody",
    meaning: "comma-separated address ranges of load balancers whose X-Forwarded-For counts; from others it is ignored",
    read: (text) => (text === "" ? [] : read.list(read.cidr)(text)),
  }),

  natsUrl: optional({
    group: BROKER,
    unset: "embedded broker",
    secret: true,
    meaning: "comma-separated NATS servers, such as nats://a:4222,nats://b:4222; roles edge and room need it",
    read: read.list(read.natsServer),
  }),
  natsCreds: optional({
    group: BROKER,
    unset: "none",
    meaning: "path of a NATS credentials file",
    read: read.plainText,
  }),
  natsUser: optional({ group: BROKER, unset: "none", meaning: "NATS user", read: read.plainText }),
  natsPassword: optional({
    group: BROKER,
    unset: "none",
    secret: true,
    meaning: "password of NATS_USER",
    read: read.plainText,
  }),
  natsToken: optional({ group: BROKER, unset: "none", secret: true, meaning: "NATS token", read: read.plainText }),
  natsReplicas: optional({
    group: BROKER,
    unset: "3 in a cluster, else 1",
    meaning: "copies of the stream and the buckets; only role room and all create them",
    read: read.integer(1, 5),
  }),
  natsAdopt: given({
    group: BROKER,
    default: "0",
    meaning:
      "1 changes age, size, copies and dedupe window of existing streams to what is set here; 0 refuses to start",
    read: read.oneOf("0", "1"),
  }),
  natsPrefix: given({
    group: BROKER,
    default: "baccarat",
    meaning: "first word of every stream, bucket and subject, so that several installations can share servers",
    read: read.matching(/^[A-Za-z0-9_-]{1,32}$/, "must be 1 to 32 of A-Z a-z 0-9 _ -"),
  }),
  natsMinClusterVersion: given({
    group: BROKER,
    default: OLDEST_NATS,
    meaning: `oldest nats-server in a cluster with which a process is ready; ${RECOMMENDED_IN_CLUSTER} where servers are your choice: older ones have known faults in a cluster`,
    read: read.version(OLDEST_NATS),
  }),
  dataDir: given({
    group: BROKER,
    default: "./data",
    meaning: "directory of the embedded broker's files; one process at a time",
    read: read.plainText,
  }),
  backupDir: optional({
    group: BROKER,
    unset: "no backups",
    meaning:
      "directory where the embedded broker writes backups of itself while it runs; restore them by roomctl restore",
    read: read.plainText,
  }),
  backupEvery: given({
    group: BROKER,
    default: "1d",
    meaning: "how old the newest backup may become before another one is written",
    read: read.duration("1s", "365d"),
  }),
  backupKeep: given({
    group: BROKER,
    default: "7",
    meaning: "how many backups are kept; the oldest go first",
    read: read.integer(1, 10_000),
  }),

  authMode: given({
    group: CLIENTS,
    default: "guest",
    meaning: "guest: anybody may connect under any name; jwt: a token is required. Production refuses guest",
    read: read.oneOf("guest", "jwt"),
  }),
  jwtSecret: optional({
    group: CLIENTS,
    unset: "none",
    secret: true,
    meaning: "secret of HS256 tokens, 32 bytes or more",
    read: read.plainText,
  }),
  jwksUrl: optional({
    group: CLIENTS,
    unset: "none",
    meaning: "where the public keys of tokens are published, instead of JWT_SECRET",
    read: read.url("https", "http"),
  }),
  jwtIssuer: optional({ group: CLIENTS, unset: "any", meaning: "iss a token must have", read: read.plainText }),
  jwtAudience: optional({ group: CLIENTS, unset: "any", meaning: "aud a token must have", read: read.plainText }),
  allowedOrigins: optional({
    group: CLIENTS,
    unset: "the host connected to",
    meaning:
      "comma-separated origins of pages that may connect, exactly as browsers send them; * is any, not in production",
    read: read.list(read.origin),
  }),

  rpcTokens: given({
    group: SERVICES,
    default: "",
    unset: "none: the RPC API is open on loopback",
    secret: true,
    meaning: "comma-separated name:scope+scope:secret; scopes are read, publish, admin and edge",
    read: (text) => (text === "" ? [] : read.rpcTokens(text)),
  }),
  rpcTokensFile: optional({
    group: SERVICES,
    unset: "none",
    meaning: "path of a file with more of them, one a line or comma-separated",
    read: read.plainText,
  }),
  adminConsole: optional({
    group: SERVICES,
    unset: "on with RPC_TOKENS, off without",
    meaning:
      "the operators' console at /admin on the RPC port; on: also where the RPC API is open, to whoever reaches it",
    read: read.oneOf("on", "off"),
  }),
  roomServiceUrl: optional({
    group: SERVICES,
    unset: "none",
    meaning: "comma-separated RPC URLs of the RoomServices; role edge needs it",
    read: read.list(read.url("http", "https")),
  }),
  roomServiceToken: optional({
    group: SERVICES,
    unset: "none",
    secret: true,
    meaning: "secret of scope edge that the edge presents to them",
    read: read.matching(/^[\x21-\x7e]+$/, "must be printable ASCII without spaces"),
  }),

  defaultRoom: given({
    group: ROOMS,
    default: "general",
    keepsEmpty: true,
    meaning: "room joined on connect by a client that names none; empty switches it off",
    read: read.optionalRoom,
  }),
  roomCreation: given({
    group: ROOMS,
    default: "open",
    unset: "open; listed in production",
    meaning: "open: every valid id is a room; listed: only rooms made by CreateRoom exist",
    read: read.oneOf("open", "listed"),
  }),
  historyMaxMessages: given({
    group: ROOMS,
    default: "1000",
    meaning: "events per room that history and recovery show",
    read: read.integer(1, 1_000_000),
  }),
  historyMaxAge: given({
    group: ROOMS,
    default: "7d",
    meaning: "how old an event may be that history and recovery show",
    read: read.duration("3m", "3650d"),
  }),
  historyMaxBytes: given({
    group: ROOMS,
    default: "10GiB",
    meaning: "size of the whole log; the oldest events go first",
    read: read.bytes(64 * 1024, 1024 ** 5),
  }),

  ...TLS_VARIABLES,

  edgeId: optional({
    group: PROCESS,
    unset: "random",
    meaning: "name of this edge, the same after a restart",
    read: read.matching(/^[A-Za-z0-9_.-]{1,64}$/, "must be 1 to 64 of A-Z a-z 0-9 _ . -"),
  }),
  edgeWorkers: given({
    group: PROCESS,
    default: "1",
    meaning:
      "edge processes that share EDGE_PORT; auto: one per core. Role edge only. Each has limits of its own: MAX_CONNECTIONS and the like count per worker",
    read: read.processes,
  }),
  drainSeconds: optional({
    group: PROCESS,
    unset: "5; role all: at once",
    meaning:
      "seconds over which a stopping edge sends its clients elsewhere; in role all they have nowhere to go unless you say so",
    read: read.integer(1, 3_600),
  }),
  nodeEnv: given({
    group: PROCESS,
    default: "development",
    meaning: "production refuses settings that are unsafe on the open internet",
    read: read.nodeEnv,
  }),
  nodeOptions: optional({
    group: PROCESS,
    unset: "none",
    meaning: "flags of Node itself; production refuses those that open a debugger",
    read: read.plainText,
  }),
  nodeTlsRejectUnauthorized: optional({
    group: PROCESS,
    unset: "certificates are checked",
    meaning: "Node's own; 0 believes every certificate, which production refuses",
    read: read.plainText,
  }),
  logLevel: given({
    group: PROCESS,
    default: "info",
    meaning: "least severe level that is logged",
    read: read.oneOf("trace", "debug", "info", "warn", "error", "fatal"),
  }),
  configFile: optional({
    group: PROCESS,
    unset: "none",
    meaning: "path of a file of these variables, one NAME=value a line; the environment wins over it, as does --config",
    read: read.plainText,
  }),

  ...TRACING_VARIABLES,
} satisfies Record<string, Variable<unknown>>;

type Value<Row> = Row extends { readonly read: read.Reader<infer T> } ? T : never;

/** Values of all variables but the limits, by key. Ages are milliseconds, sizes are bytes. */
export type VariableValues = { readonly [K in keyof typeof VARIABLES]: Value<(typeof VARIABLES)[K]> };

/** The limits as variables. */
export const LIMIT_VARIABLES = Object.fromEntries(
  Object.entries(LIMIT_TABLE).map(([key, row]) => [key, limitVariable(key, row)]),
) as { readonly [K in keyof Limits]: Variable<number> };

function limitVariable(key: string, row: LimitRow): Variable<number> {
  const reader = key.endsWith("Bytes") ? read.bytes(row.min, row.max) : read.integer(row.min, row.max);
  return {
    group: LIMITS,
    default: String(row.default),
    meaning: `${row.meaning} (${row.min} to ${row.max})`,
    read: reader,
  };
}

/** Every variable by its name in the environment, in the order of the documentation. */
export const BY_NAME: ReadonlyMap<string, Variable<unknown>> = new Map<string, Variable<unknown>>(
  [...Object.entries(VARIABLES), ...Object.entries(LIMIT_VARIABLES)].map(([key, row]) => [environmentName(key), row]),
);

/** edgePort → EDGE_PORT. */
export function environmentName(key: string): string {
  return key.replace(/[A-Z]/g, "_$&").toUpperCase();
}
