import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, BlockList, Socket } from "node:net";
import { type Server as ServerOf, WebSocketServer } from "ws";
import { type Cidr, isLoopback } from "../services/config-values.ts";
import type { RoomId } from "../services/ids.ts";
import { FIXED, type Limits } from "../services/limits.ts";
import type { Logger } from "../services/log.ts";
import type { Metrics } from "../services/metrics.ts";
import {
  COMMON_HEADERS,
  loadStaticFiles,
  type StaticFile,
  type StaticFiles,
  serveFile,
} from "../services/static-files.ts";
import type { KeyPair } from "../services/tls-files.ts";
import { clientAddress, networkOf, trustedProxies } from "./client-address.ts";
import { ClientSocket, type Gate } from "./client-socket.ts";
import {
  type Accepted,
  checkHost,
  checkUpgrade,
  type HandshakeOptions,
  headerValues,
  type Refused,
  refuse,
  SUBPROTOCOL,
  UPGRADE_REQUIRED,
  WEBSOCKET_PATH,
} from "./handshake.ts";
import { Intake } from "./intake.ts";
import { Paced } from "./paced.ts";
import { RateLimits } from "./rate-limits.ts";

/** A connection as it comes to be. */
export interface AcceptedConnection extends Accepted {
  /** Where it comes from, after TRUST_PROXY was applied. */
  readonly address: string;
}

/** What an edge's public listener needs. */
export interface EdgeServerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Several processes listen on the port, and the kernel spreads connections over them. Default false. */
  readonly reusePort?: boolean;
  /** Certificate to serve https and wss with. Default: plain http and ws. */
  readonly tls?: KeyPair | undefined;
  /** Origins allowed beside the listener's own; naming any also lifts the rule that a loopback listener has loopback names only. */
  readonly allowedOrigins: readonly string[] | undefined;
  readonly limits: Limits;
  /** Proxies whose X-Forwarded-For counts. */
  readonly trustProxy: readonly Cidr[];
  /** Folder of the page; undefined serves none. */
  readonly staticDir: string | undefined;
  /** Room the page proposes to whoever comes. Default: none. */
  readonly featuredRoom?: RoomId | undefined;
  readonly log: Logger;
  /** Takes over a connection: the WebSocket and the socket below it, for writing frames that are encoded already. */
  readonly onConnection: (webSocket: ClientSocket, socket: Socket, accepted: AcceptedConnection) => void;
  /** Last word before a connection is taken, for example while draining; undefined lets it in. */
  readonly admit?: (address: string) => Refused | undefined;
  /** Where refused upgrades are counted. */
  readonly metrics?: Pick<Metrics, "refusedTotal">;
  /** How long a client may take, in milliseconds. */
  readonly timeouts?: Partial<EdgeServerTimeouts>;
  /** Upgrades that may wait for their turn; more are refused with 503. Default 10,000. */
  readonly maxUpgradesWaiting?: number;
}

/** How long a client may take, in milliseconds. */
export interface EdgeServerTimeouts {
  /** Until its request's headers are complete, a silent connection included. Default 10,000. */
  readonly headers: number;
  /** Until its request is complete. Default 30,000. */
  readonly request: number;
  /** How often the two are checked. Default 5,000. */
  readonly check: number;
}

/** A running listener. */
export interface EdgeServer {
  readonly port: number;
  /** Where the page is, such as http://127.0.0.1:3000. */
  readonly url: string;
  /** WebSockets open now. */
  readonly connections: number;
  /**
   * Stops listening at once. Page requests under way are finished, or cut off unless `graceful` (default true). Open
   * WebSockets are their taker's to close. Idempotent; the last call shall not be graceful, so that nothing stays open.
   */
  close(options?: { graceful?: boolean }): void;
}

const DEFAULT_TIMEOUTS: EdgeServerTimeouts = { headers: 10_000, request: 30_000, check: 5_000 };
const MAX_HEADER_BYTES = 16 * 1024;
const CLOSE_TIMEOUT_MS = 3_000;
/** TCP connections beyond the WebSockets, for pages and for handshakes that will be refused in words. */
const SPARE_CONNECTIONS = 1_000;
/**
 * On every response. The page runs its own script only, loads nothing of others but pictures the user asks for, and is
 * framed by nobody. It may connect to other edges, since /duo shows two of them.
 */
const SECURITY_HEADERS = {
  "Content-Security-Policy":
    "default-src 'self'; img-src 'self' https:; connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  ...COMMON_HEADERS,
} as const;
const PLAIN_HEADERS = { ...SECURITY_HEADERS, "Content-Type": "text/plain; charset=utf-8" };
/** Handshakes in one turn of the event loop, in milliseconds: a storm of them must not hold up what members are to hear. */
const HANDSHAKES_MS = 4;
/** Upgrades that wait for that: about two seconds' worth. */
const MAX_UPGRADES_WAITING = 10_000;
const TOO_MANY_UPGRADES: Refused = refuse(503, "too many clients connect at the moment", { "Retry-After": "1" });
/** What a client at a cap is told to wait, in seconds. */
const RETRY_AFTER_S = 10;

async function loadPage({ staticDir, featuredRoom }: EdgeServerOptions): Promise<StaticFiles> {
  return staticDir === undefined
    ? new Map()
    : await loadStaticFiles(staticDir, { "featured-room": featuredRoom ?? "" });
}

/** Starts the public listener: the page at `/`, WebSocket at `/ws`. @throws when the port or the folder cannot be had. */
export async function startEdgeServer(options: EdgeServerOptions): Promise<EdgeServer> {
  const handshake: HandshakeOptions = {
    allowedOrigins: options.allowedOrigins ?? [],
    scheme: options.tls ? "https" : "http",
    loopbackOnly: isLoopback(options.host) && options.allowedOrigins === undefined,
  };
  const files = await loadPage(options);
  const upgrades = new Upgrades(options, handshake);
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  const limits = {
    headersTimeout: timeouts.headers,
    requestTimeout: timeouts.request,
    connectionsCheckingInterval: timeouts.check,
    maxHeaderSize: MAX_HEADER_BYTES,
  };
  const server = options.tls
    ? createTlsServer({ ...limits, ...options.tls, minVersion: "TLSv1.2", handshakeTimeout: timeouts.headers })
    : createServer(limits);
  server.on("tlsClientError", (error) => options.log.debug({ err: error }, "a client's TLS handshake failed"));
  server.maxConnections = options.limits.maxConnections + SPARE_CONNECTIONS;
  server.on("request", (request, response) => answerRequest(request, response, files, handshake));
  server.on("upgrade", (request, _socket, head) => upgrades.handle(request, head));
  const { port } = await listen(server, options);
  server.on("error", (error) => options.log.error({ err: error }, "the public listener failed"));
  return {
    port,
    url: `${handshake.scheme}://${options.host.includes(":") ? `[${options.host}]` : options.host}:${port}`,
    get connections() {
      return upgrades.open;
    },
    close({ graceful = true } = {}) {
      if (server.listening) server.close();
      if (graceful) server.closeIdleConnections();
      else {
        upgrades.close();
        server.closeAllConnections();
      }
    },
  };
}

/** Turns upgrade requests into WebSockets, and counts them. */
class Upgrades implements Gate {
  readonly #options: EdgeServerOptions;
  readonly #handshake: HandshakeOptions;
  readonly #proxies: BlockList | undefined;
  readonly #webSockets: ServerOf<typeof ClientSocket>;
  /** By network, as the one below: an IPv6 subscriber has 2^64 addresses. */
  readonly #rates: RateLimits;
  readonly #byNetwork = new Map<string, number>();
  readonly #intake = new Intake();
  readonly #paced: Paced<{ readonly request: IncomingMessage; readonly head: Buffer }>;
  // One for all connections, as each would cost each of them.
  readonly #onSocketError = (error: Error): void => this.#options.log.debug({ err: error }, "a client's socket failed");
  #open = 0;

  constructor(options: EdgeServerOptions, handshake: HandshakeOptions) {
    this.#options = options;
    this.#handshake = handshake;
    this.#proxies = trustedProxies(options.trustProxy);
    const { upgradesPerSecondPerIp: perSecond, upgradeBurstPerIp: burst } = options.limits;
    this.#rates = new RateLimits({ perSecond, burst, maxWaitMs: 0 });
    this.#paced = new Paced({
      sliceMs: HANDSHAKES_MS,
      max: options.maxUpgradesWaiting ?? MAX_UPGRADES_WAITING,
      run: ({ request, head }) => this.#handle(request, head),
    });
    this.#webSockets = new WebSocketServer({
      noServer: true,
      WebSocket: ClientSocket,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.limits.maxFrameBytes,
      maxFragments: FIXED.frameFragments,
      closeTimeout: CLOSE_TIMEOUT_MS,
      handleProtocols: () => SUBPROTOCOL,
    });
  }

  get open(): number {
    return this.#open;
  }

  /** Takes an upgrade request, and decides when it is its turn. */
  handle(request: IncomingMessage, head: Buffer): void {
    const { socket } = request;
    // First of all: an error without a listener would end the process.
    socket.on("error", this.#onSocketError);
    if (!this.#paced.push({ request, head })) this.#refuse(socket, TOO_MANY_UPGRADES);
  }

  /** Those that wait are cut off: there is nobody left to take them over. */
  close(): void {
    for (const { request } of this.#paced.close()) request.socket.destroy();
  }

  #handle(request: IncomingMessage, head: Buffer): void {
    const { socket } = request;
    if (socket.destroyed) return;
    const { onConnection } = this.#options;
    const forwardedFor = this.#proxies === undefined ? [] : headerValues(request, "x-forwarded-for");
    const address = clientAddress(socket.remoteAddress, forwardedFor, this.#proxies);
    const verdict = this.#judge(request, address);
    if (!verdict.ok) {
      this.#refuse(socket, verdict, address);
      return;
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#count(networkOf(address), webSocket);
      // ws hears of the socket's errors from here on; a second listener would need a list for each connection.
      socket.off("error", this.#onSocketError);
      this.#intake.attach(webSocket, socket);
      onConnection(webSocket, socket, { ...verdict, address });
    });
  }

  #refuse(socket: Socket, refused: Refused, address?: string): void {
    const { log, metrics } = this.#options;
    log.debug({ status: refused.status, address }, refused.message);
    metrics?.refusedTotal.inc({ status: String(refused.status) });
    endWith(socket, refused);
  }

  #judge(request: IncomingMessage, address: string): Accepted | Refused {
    const tooFast = this.#checkRate(networkOf(address));
    if (tooFast !== undefined) return tooFast;
    const verdict = checkUpgrade(request, this.#handshake);
    return (verdict.ok ? this.#checkCapacity(address) : undefined) ?? verdict;
  }

  #checkRate(network: string): Refused | undefined {
    const now = performance.now();
    if (this.#rates.take(network, now) !== undefined) return undefined;
    const seconds = Math.ceil(this.#rates.waitMs(network, now) / 1_000);
    return refuse(429, "too many upgrades from your address", { "Retry-After": String(seconds) });
  }

  #checkCapacity(address: string): Refused | undefined {
    const { limits, admit } = this.#options;
    const later = { "Retry-After": String(RETRY_AFTER_S) };
    if (this.#open >= limits.maxConnections) return refuse(503, "this edge has all the connections it takes", later);
    if ((this.#byNetwork.get(networkOf(address)) ?? 0) >= limits.maxConnectionsPerIp) {
      return refuse(429, "too many connections from your address", later);
    }
    return admit?.(address);
  }

  #count(network: string, webSocket: ClientSocket): void {
    this.#open++;
    this.#byNetwork.set(network, (this.#byNetwork.get(network) ?? 0) + 1);
    webSocket.count(this, network);
  }

  /** Part of Gate, as what follows. */
  onProtocolError(error: Error): void {
    this.#options.log.debug({ err: error }, "a client broke the WebSocket protocol");
  }

  left(network: string): void {
    this.#open--;
    const others = (this.#byNetwork.get(network) ?? 0) - 1;
    if (others > 0) this.#byNetwork.set(network, others);
    else this.#byNetwork.delete(network);
  }
}

function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
  files: StaticFiles,
  handshake: HandshakeOptions,
): void {
  const answer = findAnswer(request, files, handshake);
  if ("body" in answer) serveFile(answer, request, response, SECURITY_HEADERS);
  else response.writeHead(answer.status, { ...PLAIN_HEADERS, ...answer.headers }).end(`${answer.message}\n`);
}

function findAnswer(request: IncomingMessage, files: StaticFiles, handshake: HandshakeOptions): StaticFile | Refused {
  const [path = ""] = (request.url ?? "").split("?");
  const wrongHost = checkHost(request, handshake);
  if (wrongHost !== undefined) return wrongHost;
  if (request.method !== "GET" && request.method !== "HEAD") {
    return refuse(405, "only GET and HEAD are answered", { Allow: "GET, HEAD" });
  }
  // Without an Upgrade header a request comes here and not to Upgrades.
  if (path === WEBSOCKET_PATH) return UPGRADE_REQUIRED;
  return files.get(path) ?? refuse(404, "there is nothing here");
}

/** Writes a refusal by hand, since an upgrade has no response object, and lets go of the socket once it is out. */
function endWith(socket: Socket, { status, message, headers }: Refused): void {
  const body = `${message}\n`;
  const lines = Object.entries({
    ...PLAIN_HEADERS,
    "Content-Length": String(Buffer.byteLength(body)),
    Connection: "close",
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.once("finish", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.join("")}\r\n${body}`);
}

function listen(server: Server, options: EdgeServerOptions): Promise<AddressInfo> {
  const { promise, resolve, reject } = Promise.withResolvers<AddressInfo>();
  server.once("error", reject);
  server.listen({ host: options.host, port: options.port, reusePort: options.reusePort === true }, () => {
    server.off("error", reject);
    resolve(server.address() as AddressInfo); // not null while listening, no string for a TCP port
  });
  return promise;
}
