import { isIPv6 } from "node:net";
import type { Config, Role } from "./config.ts";

/** Ports really used, by what listens there. */
export interface Ports {
  readonly edge: number | undefined;
  readonly rpc: number | undefined;
  readonly ops: number;
}

/** Where a started process can be reached and where it stores; what is not there is not run by its role. */
export interface Listening {
  readonly page?: string;
  readonly websocket?: string;
  readonly rpc?: string;
  /** The operators' console, when it is on. */
  readonly console?: string;
  readonly ops: string;
  /** Directory of the embedded broker. */
  readonly dataDir?: string;
  /** NATS servers, without credentials. */
  readonly nats?: readonly string[];
  readonly auth?: "guest" | "jwt";
}

/** Tells where everything is, once the ports are known. `dataDir` is absolute. */
export function describeListening(config: Config, ports: Ports, dataDir: string): Listening {
  const edge = ports.edge === undefined ? undefined : authority(config.edgeHost, ports.edge);
  const rpcTls = config.rpcTlsCertFile === undefined ? "" : "s";
  const rpc = ports.rpc === undefined ? undefined : `http${rpcTls}://${authority(config.rpcHost, ports.rpc)}`;
  const edgeTls = config.tlsCertFile === undefined ? "" : "s";
  return {
    ...(edge !== undefined && {
      page: `http${edgeTls}://${edge}/`,
      websocket: `ws${edgeTls}://${edge}/ws`,
      auth: config.authMode,
    }),
    ...(rpc !== undefined && { rpc, ...(config.adminConsole === "on" && { console: `${rpc}/admin` }) }),
    ops: `http://${authority(config.opsHost, ports.ops)}`,
    ...(config.natsUrl === undefined ? { dataDir } : { nats: config.natsUrl.map(withoutCredentials) }),
  };
}

/** The same for people, on a terminal. */
export function banner(role: Role, listening: Listening): string {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["page", listening.page],
    ["WebSocket", listening.websocket],
    ["RPC", listening.rpc],
    ["console", listening.console],
    ["health, metrics", listening.ops],
    ["data", listening.dataDir],
    ["NATS", listening.nats?.join(", ")],
  ];
  const lines = rows.flatMap(([name, value]) => (value === undefined ? [] : [`  ${name.padEnd(17)}${value}`]));
  if (listening.auth === "guest") {
    lines.push("", "  Guest mode: anybody who can reach the WebSocket may come in under any name (AUTH_MODE).");
  }
  return `\n  baccarat-websocket-cluster, role ${role}\n\n${lines.join("\n")}\n\n  Ctrl-C stops it.\n\n`;
}

/**
 * Says in one line why a port could not be bound and which variable to change; undefined for any other error.
 */
export function explainListenError(error: unknown, config: Config): string | undefined {
  const { code, syscall, port, address, hostname } = error as NodeJS.ErrnoException & {
    port?: number;
    address?: string;
    hostname?: string;
  };
  if (syscall === "getaddrinfo")
    return `host name ${hostname} is not known: set ${variableOf(config, "Host", hostname)}`;
  if (syscall !== "listen") return undefined;
  const where = `port ${port} on ${address}`;
  const variable = variableOf(config, "Port", port);
  if (code === "EADDRINUSE") return `${where} is taken: stop whoever has it, or set ${variable}`;
  if (code === "EACCES") return `${where} is not allowed for this user: set ${variable}`;
  return `${where} cannot be used (${code}): set ${variable} or ${variableOf(config, "Host", address)}`;
}

const LISTENERS = ["edge", "rpc", "ops"] as const;

function variableOf(config: Config, kind: "Host" | "Port", value: unknown): string {
  const found = LISTENERS.filter((name) => config[`${name}${kind}`] === value);
  const names = (found.length === 0 ? LISTENERS : found).map((name) => `${name}_${kind}`.toUpperCase());
  return names.join(" or ");
}

/** Host and port as a URL has them. Whoever listens on every address is reached by a name that works everywhere. */
function authority(host: string, port: number): string {
  if (host === "0.0.0.0" || host === "::") return `localhost:${port}`;
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

function withoutCredentials(server: string): string {
  const url = new URL(server);
  url.username = "";
  url.password = "";
  return url.href.replace(/\/$/, "");
}
