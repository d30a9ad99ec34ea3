import cluster, { type Worker } from "node:cluster";
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
import { EventLoopLag } from "./services/event-loop.ts";
import type { RoomId } from "./services/ids.ts";
import { handleSignals, Lifecycle } from "./services/lifecycle.ts";
import { FIXED } from "./services/limits.ts";
import { banner, describeListening, explainListenError, type Listening } from "./services/listening.ts";
import { createLog, type Logger, toggleDebug } from "./services/log.ts";
import { Metrics } from "./services/metrics.ts";
import { ask, type Probe, startOpsServer } from "./services/ops-server.ts";
import { type ControlPlane, openControlPlane } from "./services/room/control-plane.ts";
import { edgeTransport } from "./services/room/rpc/edge-transport.ts";
import type { CallObserver } from "./services/room/rpc/interceptors.ts";
import type { ListenerTls } from "./services/room/rpc/listener.ts";
import { serviceRoutes } from "./services/room/rpc/routes.ts";
import { type RpcServer, startRpcServer } from "./services/room/rpc/server.ts";
import { keyPair } from "./services/tls-files.ts";
import { TokenVerifier } from "./services/tokens.ts";
import type { Tracer } from "./services/tracing.ts";
import { openTracer } from "./services/tracing-open.ts";
import type { WorkerState } from "./services/workers/messages.ts";
import { reportToSupervisor } from "./services/workers/reporting.ts";
import { startWorkers } from "./services/workers/start.ts";
import { WorkerFailed } from "./services/workers/supervisor.ts";

/** How long stopping may take in all, in milliseconds: edge, RPCs and broker finish what is under way within it. */
const STOP_MS = 8_000;
/** Time over which an edge sends its clients elsewhere before that, in milliseconds, where others take them. */
const DRAIN_MS = 5_000;
/** What a supervisor adds to the time its workers have: killing those that did not use it. */
const KILL_MS = 2_000;
/** Where the system spreads connections over processes that listen on one port; elsewhere node:cluster does. */
const REUSE_PORT = ["linux", "freebsd", "dragonfly", "sunos", "aix"].includes(process.platform);
/** A RoomService that vanished without a word is noticed by a ping, after both of these, in milliseconds. */
const PING = { pingIntervalMs: 3_000, pingTimeoutMs: 2_000 };
/** Where `--demo` deals. */
const DEMO_ROOM = "table-1" as RoomId;
/** The page, and the operators' console, as `npm run build:web` leaves them. */
const PAGE = join(import.meta.dirname, "web/dist/page");
const CONSOLE = join(import.meta.dirname, "web/dist/console");

/** What everything that is started needs. */
interface Parts {
  readonly config: Config;
  /** A table is dealt, and the page leads to it. */
  readonly demo: boolean;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly lifecycle: Lifecycle;
  /** Why the process is not ready; what is started adds its own. */
  readonly probes: Probe[];
  /** What an operator should know though the process is ready. */
  readonly warnings: Probe[];
}

/** What can be traced needs beside that. */
interface TracedParts extends Parts {
  readonly tracer: Tracer | undefined;
}

await main();

/** Environment → Config → objects → signals. */
async function main(): Promise<void> {
  const args = parseArguments(process.argv.slice(2));
  if (typeof args === "string") return refuse(EXIT_USAGE, [args]);
  if (args.action === "help") return print(configHelp());
  const started = {
    flags: process.execArgv,
    nodeVersion: process.versions.node,
    demo: args.demo,
    configFile: args.config,
  };
  const parsed = parseConfig(process.env, args.role, started);
  if (!parsed.ok) return refuse(EXIT_CONFIG, parsed.mistakes);
  if (args.action === "check-config") return print(`${describeSettings(process.env, parsed.file)}ok\n`);
  if (args.action === "print-config") return print(printSettings(process.env, parsed.config, parsed.file));
  await run(parsed.config, args.demo);
}

async function run(config: Config, demo: boolean): Promise<void> {
  const terminal = process.stdout.isTTY === true;
  const fields = { role: config.role, ...(cluster.isWorker && { edge: config.edgeId }) };
  const log = createLog({ level: config.logLevel, pretty: terminal, fields });
  const workers = cluster.isWorker || config.role !== "edge" ? 1 : config.edgeWorkers;
  const lifecycle = new Lifecycle({ log, stopMs: STOP_MS + drainMs(config) + (workers > 1 ? KILL_MS : 0) });
  handleSignals({ host: process, lifecycle, log });
  // Windows has no such signal.
  if (process.platform !== "win32") process.on("SIGUSR2", () => toggleDebug(log, config.logLevel));
  try {
    const parts: Parts = {
      config,
      demo,
      log,
      lifecycle,
      metrics: new Metrics({ process: workers === 1 }),
      probes: [],
      warnings: [],
    };
    const listening = workers > 1 ? await supervise({ config, log, lifecycle }) : await start(parts);
    // Its supervisor says where clients come in.
    if (cluster.isWorker) return;
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
  const { config, lifecycle, probes, warnings } = parts;
  let started = false;
  let edge: Edge | undefined;
  probes.push(() => (lifecycle.stopping ? ["draining"] : started ? [] : ["starting"]));
  const state = (): WorkerState => ({
    started,
    ...(edge && { port: edge.port }),
    reasons: ask(probes),
    warnings: ask(warnings),
  });
  const tell = cluster.worker && report(cluster.worker, parts, state);
  const opsPort = tell ? config.opsPort : await startOps(parts, () => started);
  // Stopped last, so that it sends what the others did until their end.
  const tracer = await openTracer(config, parts.log);
  if (tracer) lifecycle.onStop("tracing", () => tracer.close());
  const broker = await startBroker(parts);
  const traced: TracedParts = { ...parts, tracer };
  if (config.role === "room") watchEventLoop(parts);
  const rooms = config.role === "edge" ? undefined : await startRooms(traced, broker);
  edge = config.role === "room" ? undefined : await startClients(traced, broker, rooms?.transport);
  started = true;
  tell?.();
  const ports = { ops: opsPort, edge: edge?.port, rpc: rooms?.rpc.port };
  return describeListening(config, ports, resolve(config.dataDir));
}

/** As edges do of themselves: who has more work than one core does is to be given no more. */
function watchEventLoop({ config, metrics, lifecycle, probes }: Parts): void {
  const loop = new EventLoopLag({ onMeasured: (lagMs) => metrics.eventLoopLagSeconds.set(lagMs / 1_000) });
  lifecycle.onStop("event loop watch", () => loop.close());
  const { maxEventLoopLagMs } = config.limits;
  probes.push(() => (loop.lagMs > maxEventLoopLagMs ? [`event loop ${Math.round(loop.lagMs)} ms late`] : []));
}

/** Where operators look at this process. */
async function startOps(parts: Parts, started: () => boolean): Promise<number> {
  const { config, lifecycle, metrics, probes, warnings } = parts;
  const listen = { host: config.opsHost, port: config.opsPort };
  const ops = await startOpsServer({ ...listen, metrics, probes, warnings, started });
  lifecycle.onStop("ops server", () => ops.close());
  return ops.port;
}

/** Has a worker's supervisor know all that operators are shown; returns how to tell it at once. */
function report(channel: Worker, { log, metrics, lifecycle }: Parts, state: () => WorkerState): () => void {
  return reportToSupervisor({
    channel,
    state,
    render() {
      metrics.ready.set(state().reasons.length === 0 ? 1 : 0);
      return metrics.render();
    },
    onStop: () => void lifecycle.stop().then(() => process.exit(lifecycle.failed ? 1 : 0)),
    onLost: (error) => log.debug({ err: error }, "the supervisor is gone"),
  });
}

/** Runs edges as processes of their own, and looks after them. */
async function supervise({ config, log, lifecycle }: Pick<Parts, "config" | "log" | "lifecycle">): Promise<Listening> {
  const ports = await startWorkers({
    config,
    edgeId: config.edgeId ?? newEdgeId(),
    reusePort: REUSE_PORT,
    stopMs: STOP_MS + drainMs(config),
    lifecycle,
    log,
    onSupervisor(supervisor) {
      if (process.platform !== "win32") process.on("SIGUSR2", () => supervisor.signal("SIGUSR2"));
    },
  });
  return describeListening(config, ports, resolve(config.dataDir));
}

function newEdgeId(): string {
  return `edge-${randomBytes(6).toString("hex")}`;
}

async function startBroker({ config, log, metrics, lifecycle, probes, warnings }: Parts): Promise<Broker> {
  const broker = await openBroker({ config, log });
  lifecycle.onStop("broker", () => broker.close());
  const reasons = (): string[] => {
    const health = broker.health();
    return health.ok ? [] : [`broker: ${health.reason}`];
  };
  const show = (): void => {
    metrics.brokerUp.set(reasons().length === 0 ? 1 : 0);
    const health = broker.health();
    if (!health.ok && health.final) giveUp({ log, lifecycle }, health.reason);
  };
  lifecycle.onStop("broker health", broker.onHealth(show));
  show();
  probes.push(reasons, () => (broker.unfit === undefined ? [] : [`broker: ${broker.unfit}`]));
  warnings.push(() => (broker.warning === undefined ? [] : [broker.warning]));
  return broker;
}

/** Whoever keeps this process running starts it again, on the log as it is now; clients come back and reload. */
function giveUp({ log, lifecycle }: Pick<Parts, "log" | "lifecycle">, reason: string): void {
  if (lifecycle.stopping) return;
  log.fatal({ reason }, "nothing this process knows is true any more: ending");
  void lifecycle.stop().then(() => process.exit(1));
}

/** The control plane and its listener, and how an edge in this process reaches it. */
async function startRooms(parts: TracedParts, broker: Broker): Promise<{ rpc: RpcServer; transport: Transport }> {
  const { config, log, metrics, tracer, lifecycle, probes } = parts;
  const { limits, roomCreation } = config;
  const controlPlane: ControlPlane = await openControlPlane({ broker, limits, roomCreation, tracer, log, metrics });
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
    tracer,
    consoleDir: consoleDir(config, log),
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

/** Where the operators' console is; undefined when it is off. */
function consoleDir({ adminConsole }: Config, log: Logger): string | undefined {
  if (adminConsole === "off") return undefined;
  if (existsSync(CONSOLE)) return CONSOLE;
  log.warn("the console is not built (npm run build:web builds it), so there is nothing at /admin");
  return undefined;
}

/** The edge, attached to the control plane of this process or, without one, to those of other processes. */
async function startClients(parts: TracedParts, broker: Broker, local: Transport | undefined): Promise<Edge> {
  const { config, log, metrics, tracer, lifecycle, probes } = parts;
  const edge = await startEdge({
    broker,
    transports: local ? [local] : remoteTransports(config),
    edgeId: config.edgeId ?? newEdgeId(),
    host: config.edgeHost,
    port: config.edgePort,
    reusePort: cluster.isWorker && REUSE_PORT,
    tls: keyPair(config.tlsCertFile, config.tlsKeyFile),
    allowedOrigins: config.allowedOrigins,
    trustProxy: config.trustProxy,
    staticDir: pageDir(log),
    featuredRoom: parts.demo ? DEMO_ROOM : undefined,
    defaultRoom: config.defaultRoom,
    limits: config.limits,
    verifier: config.authMode === "jwt" ? tokenVerifier(config) : undefined,
    history: { maxMessages: config.historyMaxMessages, maxAgeMs: config.historyMaxAge },
    drainMs: drainMs(config),
    tracer,
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
  if (error instanceof BrokerOpenError || error instanceof WorkerFailed) return error.message;
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
