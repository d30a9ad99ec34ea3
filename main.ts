import { randomBytes, randomInt } from "node:crypto";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Interceptor, Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import type { Broker } from "./broker/broker.ts";
import { openBroker } from "./broker/open.ts";
import { BrokerOpenError } from "./broker/open-error.ts";
import { type Edge, startEdge } from "./edge/edge.ts";
import { runDealer } from "./examples/dealer/dealer.ts";
import { EXIT_USAGE, parseArguments } from "./services/arguments.ts";
import { type Config, EXIT_CONFIG, parseConfig } from "./services/config.ts";
import { configHelp, describeSettings, printSettings } from "./services/config-help.ts";
import { handleSignals, Lifecycle } from "./services/lifecycle.ts";
import { FIXED } from "./services/limits.ts";
import { banner, describeListening, explainListenError, type Listening } from "./services/listening.ts";
import { createLog, type Logger, toggleDebug } from "./services/log.ts";
import { Metrics } from "./services/metrics.ts";
import { type Probe, startOpsServer } from "./services/ops-server.ts";
import { type ControlPlane, openControlPlane } from "./services/room/control-plane.ts";
import type { CallObserver } from "./services/room/rpc/interceptors.ts";
import type { ListenerTls } from "./services/room/rpc/listener.ts";
import { edgeTransport, serviceRoutes } from "./services/room/rpc/routes.ts";
import { type RpcServer, startRpcServer } from "./services/room/rpc/server.ts";
import { keyPair } from "./services/tls-files.ts";
import { TokenVerifier } from "./services/tokens.ts";

/** How long stopping may take in all, in milliseconds: edge, RPCs and broker finish what is under way within it. */
const STOP_MS = 8_000;
/** Time over which an edge sends its clients elsewhere before that, in milliseconds, where others take them. */
const DRAIN_MS = 5_000;
/** A RoomService that vanished without a word is noticed by a ping, after both of these, in milliseconds. */
const PING = { pingIntervalMs: 3_000, pingTimeoutMs: 2_000 };
/** Where `--demo` deals. */
const DEMO_ROOM = "table-1";
/** The page as `npm run build:web` leaves it. */
const PAGE = join(import.meta.dirname, "web/dist");

/** What everything that is started needs. */
interface Parts {
  readonly config: Config;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly lifecycle: Lifecycle;
  /** Why the process is not ready; what is started adds its own. */
  readonly probes: Probe[];
  /** What an operator should know though the process is ready. */
  readonly warnings: Probe[];
}

await main();

/** Environment → Config → objects → signals. */
async function main(): Promise<void> {
  const args = parseArguments(process.argv.slice(2));
  if (typeof args === "string") return refuse(EXIT_USAGE, [args]);
  if (args.action === "help") return print(configHelp());
  const parsed = parseConfig(process.env, args.role);
  if (!parsed.ok) return refuse(EXIT_CONFIG, parsed.mistakes);
  if (args.action === "check-config") return print(`${describeSettings(process.env)}ok\n`);
  if (args.action === "print-config") return print(printSettings(process.env, parsed.config));
  await run(parsed.config, args.demo);
}

async function run(config: Config, demo: boolean): Promise<void> {
  const terminal = process.stdout.isTTY === true;
  const log = createLog({ level: config.logLevel, pretty: terminal, fields: { role: config.role } });
  const lifecycle = new Lifecycle({ log, stopMs: STOP_MS + drainMs(config) });
  handleSignals({ host: process, lifecycle, log });
  // Windows has no such signal.
  if (process.platform !== "win32") process.on("SIGUSR2", () => toggleDebug(log, config.logLevel));
  try {
    const parts: Parts = { config, log, lifecycle, metrics: new Metrics({ process: true }), probes: [], warnings: [] };
    const listening = await start(parts);
    if (demo) startDemo(parts, listening);
    if (terminal) print(banner(config.role, listening));
    // Scripts wait for this line, so no level hides it.
    else log.child({}, { level: "info" }).info(listening, "listening");
  } catch (error) {
    // A signal while starting: what was half started fails, and that is no news.
    if (lifecycle.stopping) return;
    refuse(1, [explain(error, config, log)]);
    await lifecycle.stop();
    process.exit();
  }
}

/** Starts what the role runs, each on top of what was started before; stopping goes the other way. */
async function start(parts: Parts): Promise<Listening> {
  const { config, lifecycle, metrics, probes, warnings } = parts;
  let started = false;
  probes.push(() => (lifecycle.stopping ? ["draining"] : started ? [] : ["starting"]));
  const listen = { host: config.opsHost, port: config.opsPort };
  const ops = await startOpsServer({ ...listen, metrics, probes, warnings, started: () => started });
  lifecycle.onStop("ops server", () => ops.close());
  const broker = await startBroker(parts);
  const rooms = config.role === "edge" ? undefined : await startRooms(parts, broker);
  const edge = config.role === "room" ? undefined : await startClients(parts, broker, rooms?.transport);
  started = true;
  const ports = { ops: ops.port, edge: edge?.port, rpc: rooms?.rpc.port };
  return describeListening(config, ports, resolve(config.dataDir));
}

async function startBroker({ config, log, metrics, lifecycle, probes, warnings }: Parts): Promise<Broker> {
  const broker = await openBroker({ config, log });
  lifecycle.onStop("broker", () => broker.close());
  const reasons = (): string[] => {
    const health = broker.health();
    return health.ok ? [] : [`broker: ${health.reason}`];
  };
  const show = (): void => metrics.brokerUp.set(reasons().length === 0 ? 1 : 0);
  lifecycle.onStop("broker health", broker.onHealth(show));
  show();
  probes.push(reasons);
  warnings.push(() => (broker.warning === undefined ? [] : [broker.warning]));
  return broker;
}

/** The control plane and its listener, and how an edge in this process reaches it. */
async function startRooms(parts: Parts, broker: Broker): Promise<{ rpc: RpcServer; transport: Transport }> {
  const { config, log, metrics, lifecycle, probes } = parts;
  const { limits, roomCreation } = config;
  const controlPlane: ControlPlane = await openControlPlane({ broker, limits, roomCreation, log, metrics });
  lifecycle.onStop("control plane", () => controlPlane.close());
  // What it would answer now is how things were.
  probes.push(() => (controlPlane.fold.healthy ? [] : ["control plane: the control log does not come through"]));
  const observer: CallObserver = {
    onCall(method, code, seconds) {
      metrics.rpcTotal.inc({ method, code });
      metrics.rpcSeconds.observe(seconds);
    },
  };
  const rpc = await startRpcServer({
    host: config.rpcHost,
    port: config.rpcPort,
    tls: rpcTls(config),
    tokens: config.rpcTokens,
    allowedOrigins: config.allowedOrigins ?? [],
    routes: serviceRoutes(controlPlane),
    ready: () => probes.every((probe) => probe().length === 0),
    observer,
    log,
  });
  lifecycle.onStop("RPC server", () => rpc.close());
  return { rpc, transport: edgeTransport(controlPlane, { observer, log }) };
}

/** Where the page is; undefined in an installation that has none, which serves WebSocket all the same. */
function pageDir(log: Logger): string | undefined {
  if (existsSync(PAGE)) return PAGE;
  log.warn("the page is not built (npm run build:web builds it), so there is nothing at /");
  return undefined;
}

/** The edge, attached to the control plane of this process or, without one, to those of other processes. */
async function startClients(parts: Parts, broker: Broker, local: Transport | undefined): Promise<Edge> {
  const { config, log, metrics, lifecycle, probes } = parts;
  const edge = await startEdge({
    broker,
    transports: local ? [local] : remoteTransports(config),
    edgeId: config.edgeId ?? `edge-${randomBytes(6).toString("hex")}`,
    host: config.edgeHost,
    port: config.edgePort,
    tls: keyPair(config.tlsCertFile, config.tlsKeyFile),
    allowedOrigins: config.allowedOrigins,
    trustProxy: config.trustProxy,
    staticDir: pageDir(log),
    defaultRoom: config.defaultRoom,
    limits: config.limits,
    verifier: config.authMode === "jwt" ? tokenVerifier(config) : undefined,
    history: { maxMessages: config.historyMaxMessages, maxAgeMs: config.historyMaxAge },
    drainMs: drainMs(config),
    metrics,
    log,
  });
  lifecycle.onStop("edge", () => edge.close());
  probes.push(() => edge.notReady());
  return edge;
}

/** Checks clients' tokens; one of the two keys is there, or the configuration would have been refused. */
function tokenVerifier({ jwtSecret, jwksUrl, jwtIssuer: issuer, jwtAudience: audience }: Config): TokenVerifier {
  const key = jwksUrl === undefined ? { secret: Buffer.from(jwtSecret ?? "") } : { jwksUrl: new URL(jwksUrl) };
  return new TokenVerifier({ key, issuer, audience });
}

/** Clients of role all have nobody else to go to, so they are not kept waiting, and neither is Ctrl-C. */
function drainMs({ role, drainSeconds }: Config): number {
  if (role === "room") return 0;
  if (drainSeconds !== undefined) return drainSeconds * 1_000;
  return role === "all" ? 0 : DRAIN_MS;
}

/** The dealer of `--demo`, who knows of this process nothing but its RPC port. */
function startDemo({ config, log, lifecycle }: Parts, { rpc = "", page = "" }: Listening): void {
  const token = config.rpcTokens.find(({ scopes }) => scopes.includes("admin"));
  if (config.rpcTokens.length > 0 && token === undefined) {
    log.warn("--demo: no token in RPC_TOKENS has scope admin, so there is no table");
    return;
  }
  const stop = new AbortController();
  const [transport] = remoteTransports({ ...config, roomServiceUrl: [rpc], roomServiceToken: token?.secret });
  if (transport === undefined) return;
  log.info({ table: `${page}#${DEMO_ROOM}` }, "a baccarat table is dealt");
  const done = runDealer({
    transport,
    room: DEMO_ROOM,
    random: (below) => randomInt(below),
    signal: stop.signal,
    onTrouble: (error) => log.warn({ err: error }, "the dealer waits"),
  }).catch((error: unknown) => log.error({ err: error }, "the dealer has left"));
  lifecycle.onStop("dealer", () => {
    stop.abort();
    return done;
  });
}

function rpcTls({ rpcTlsCertFile, rpcTlsKeyFile, rpcClientCaFile: clientCa }: Config): ListenerTls | undefined {
  const pair = keyPair(rpcTlsCertFile, rpcTlsKeyFile);
  return pair && { ...pair, clientCa };
}

function remoteTransports(config: Config): Transport[] {
  const { roomServiceUrl = [], roomServiceToken, roomServiceCaFile: ca } = config;
  const pair = keyPair(config.roomServiceCertFile, config.roomServiceKeyFile);
  const authorize: Interceptor = (next) => (request) => {
    if (roomServiceToken !== undefined) request.header.set("Authorization", `Bearer ${roomServiceToken}`);
    return next(request);
  };
  return roomServiceUrl.map((baseUrl) =>
    createConnectTransport({
      baseUrl,
      httpVersion: "2",
      nodeOptions: { ...pair, ...(ca !== undefined && { ca }) },
      interceptors: [authorize],
      readMaxBytes: FIXED.rpcBytes,
      ...PING,
    }),
  );
}

/** One line on what keeps the process from starting; what has no known cause is logged whole. */
function explain(error: unknown, config: Config, log: Logger): string {
  if (error instanceof BrokerOpenError) return error.message;
  const text = explainListenError(error, config);
  if (text !== undefined) return text;
  log.fatal({ err: error }, "cannot start");
  return `cannot start: ${error instanceof Error ? error.message : String(error)}`.replace(/\s+/g, " ");
}

function refuse(exitCode: number, lines: readonly string[]): void {
  process.stderr.write(`${lines.join("\n")}\n`);
  process.exitCode = exitCode;
}

function print(text: string): void {
  process.stdout.write(text);
}
