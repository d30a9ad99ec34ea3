import * as http from "node:http";
import * as http2 from "node:http2";
import * as net from "node:net";
import * as tls from "node:tls";
import { FIXED } from "../../limits.ts";
import type { Logger } from "../../log.ts";
import type { KeyPair } from "../../tls-files.ts";
import { Http2Sessions } from "./http2-sessions.ts";

/** A request of either protocol, as Node's servers hand it out. */
export type HttpRequest = http.IncomingMessage | http2.Http2ServerRequest;
/** The answer to an HttpRequest. */
export type HttpResponse = http.ServerResponse | http2.Http2ServerResponse;

/** How long the listener waits, in milliseconds. */
export interface ListenerTimings {
  /** For the first bytes of a connection, and for the whole of a request's headers. */
  readonly headersMs: number;
  /** For the whole of an HTTP/1.1 request. No RPC that streams requests is served over HTTP/1.1, so this cuts none. */
  readonly requestMs: number;
  /** For the next request of an idle HTTP/1.1 connection: above the idle time-outs of usual proxies, so that they close first. */
  readonly keepAliveMs: number;
  /** Between two pings to an HTTP/2 client; one that did not answer the last is gone. */
  readonly pingMs: number;
}

/** Timings in use unless a test says otherwise. */
export const LISTENER_TIMINGS: ListenerTimings = {
  headersMs: 10_000,
  requestMs: FIXED.rpcMs,
  keepAliveMs: 65_000,
  pingMs: 20_000,
};

/** What a listener with TLS needs. */
export interface ListenerTls extends KeyPair {
  /** Authorities (PEM) one of which must have signed the certificate of whoever connects. Default: none is asked for. */
  readonly clientCa?: string | undefined;
}

/** What a listener needs. */
export interface ListenerOptions {
  /** Default: no TLS. */
  readonly tls?: ListenerTls;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly onRequest: (request: HttpRequest, response: HttpResponse) => void;
  readonly log: Logger;
  /** Default LISTENER_TIMINGS. */
  readonly timings?: Partial<ListenerTimings>;
  /** Connections at a time; more are closed at once. Default 4,096. */
  readonly maxConnections?: number;
}

/** What every HTTP/2 client starts with (RFC 9113, section 3.4). */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** Edges, services and operators together stay far below; a flood of connections shall not take every file descriptor. */
const MAX_CONNECTIONS = 4_096;
/** Least time between two lines about refused connections, in milliseconds: a flood shall not flood the log. */
const REFUSALS_LOGGED_MS = 10_000;
const MAX_HEADER_BYTES = 16 * 1024;
/** Streams of one HTTP/2 connection at a time; RFC 9113 recommends no fewer than 100. */
const MAX_STREAMS = 100;
/** Streams a client may reset at once, and per second after that (CVE-2023-44487), before it is sent away. */
const RESET_BURST = 1_000;
const RESETS_PER_SECOND = 33;

/** One port for HTTP/1.1 and HTTP/2: by TLS the client says which it is, without TLS its first bytes do. */
export class Listener {
  readonly #tcp: net.Server;
  readonly #http1: http.Server;
  readonly #http2: http2.Http2Server;
  readonly #sessions: Http2Sessions;
  readonly #sockets = new Set<net.Socket>();
  /** Sockets whose protocol is not known yet. */
  readonly #silent = new Set<net.Socket>();
  readonly #timings: ListenerTimings;
  readonly #log: Logger;
  #closing: Promise<void> | undefined;
  /** Connections refused since the last line about them, and when that was. */
  #refusals = { count: 0, loggedAt: Number.NEGATIVE_INFINITY };

  /** Listens. @throws the system's error when the address cannot be had. */
  static async open(options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(options);
    await listener.#listen(options.host, options.port);
    return listener;
  }

  private constructor(options: ListenerOptions) {
    this.#timings = { ...LISTENER_TIMINGS, ...options.timings };
    this.#log = options.log;
    this.#http1 = http.createServer({
      headersTimeout: this.#timings.headersMs,
      requestTimeout: this.#timings.requestMs,
      keepAliveTimeout: this.#timings.keepAliveMs,
      connectionsCheckingInterval: Math.min(1_000, this.#timings.headersMs),
      maxHeaderSize: MAX_HEADER_BYTES,
    });
    // Neither HTTP server listens itself. This one sets up the list behind its time-outs only when told that it does.
    this.#http1.emit("listening");
    this.#http1.on("request", (request, response) => {
      if (this.#closing) response.shouldKeepAlive = false;
      // A connection that was busy when closing began is kept alive by its answer, and would idle until the deadline.
      response.once("finish", () => this.#closing && request.socket.destroySoon());
      options.onRequest(request, response);
    });
    this.#http2 = http2.createServer({
      settings: { maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: MAX_HEADER_BYTES, enablePush: false },
      streamResetBurst: RESET_BURST,
      streamResetRate: RESETS_PER_SECOND,
    });
    this.#http2.on("request", options.onRequest);
    this.#sessions = new Http2Sessions({ pingMs: this.#timings.pingMs, log: options.log });
    this.#http2.on("session", (session) => this.#sessions.add(session));
    this.#tcp = options.tls
      ? this.#secureServer(options.tls)
      : net.createServer({ noDelay: true }, (socket) => this.#accept(socket));
    this.#tcp.maxConnections = options.maxConnections ?? MAX_CONNECTIONS;
    this.#tcp.on("drop", () => this.#refused());
  }

  /** Port listened on: the chosen one when 0 was asked for. */
  get port(): number {
    const address = this.#tcp.address();
    return address !== null && typeof address === "object" ? address.port : 0;
  }

  /**
   * Accepts no more, closes what is idle, lets requests under way finish for at most `deadlineMs`, then cuts them off.
   * Resolves when every socket is closed. Idempotent.
   */
  close(deadlineMs: number): Promise<void> {
    this.#closing ??= this.#close(deadlineMs);
    return this.#closing;
  }

  async #listen(host: string, port: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#tcp.once("error", reject);
    this.#tcp.listen({ host, port }, resolve);
    await promise;
    this.#tcp.off("error", reject);
    this.#tcp.on("error", (error) => this.#log.error({ err: error }, "RPC listener failed"));
  }

  #secureServer({ cert, key, clientCa }: ListenerTls): net.Server {
    const server = tls.createServer({
      cert,
      key,
      ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
      minVersion: "TLSv1.2",
      ALPNProtocols: ["h2", "http/1.1"],
      handshakeTimeout: this.#timings.headersMs,
      noDelay: true,
    });
    // Also those whose handshake is not over, so that closing does not wait for it.
    server.on("connection", (socket: net.Socket) => this.#track(socket));
    server.on("secureConnection", (socket) => {
      this.#track(socket);
      (socket.alpnProtocol === "h2" ? this.#http2 : this.#http1).emit("connection", socket);
    });
    server.on("tlsClientError", (error) => this.#log.info({ err: error }, "RPC client refused: TLS handshake failed"));
    return server;
  }

  #track(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.on("error", (error) => this.#log.debug({ err: error }, "RPC connection failed"));
    socket.once("close", () => this.#sockets.delete(socket));
  }

  #accept(socket: net.Socket): void {
    this.#track(socket);
    this.#silent.add(socket);
    const timer = setTimeout(() => socket.destroy(), this.#timings.headersMs);
    let seen = Buffer.alloc(0);
    const decide = () => {
      const bytes: Buffer | null = socket.read();
      if (bytes === null) return;
      seen = Buffer.concat([seen, bytes]);
      const server = this.#recognise(seen);
      if (!server) return;
      clearTimeout(timer);
      this.#silent.delete(socket);
      socket.off("readable", decide);
      socket.unshift(seen);
      server.emit("connection", socket);
    };
    socket.on("readable", decide);
    // A peer that ends before it said enough to be recognised wants nothing from either server.
    socket.once("end", () => this.#silent.has(socket) && socket.destroy());
    socket.once("close", () => {
      clearTimeout(timer);
      this.#silent.delete(socket);
    });
  }

  /** The server for a connection's first bytes; undefined while they may still become either. */
  #recognise(bytes: Buffer): net.Server | undefined {
    const length = Math.min(bytes.length, PREFACE.length);
    if (bytes.compare(PREFACE, 0, length, 0, length) !== 0) return this.#http1;
    return length === PREFACE.length ? this.#http2 : undefined;
  }

  #refused(): void {
    const { count, loggedAt } = this.#refusals;
    const due = performance.now() - loggedAt >= REFUSALS_LOGGED_MS;
    if (due) this.#log.warn({ refused: count + 1 }, "too many RPC connections");
    this.#refusals = due ? { count: 0, loggedAt: performance.now() } : { count: count + 1, loggedAt };
  }

  async #close(deadlineMs: number): Promise<void> {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    this.#tcp.close(() => resolve());
    for (const socket of this.#silent) socket.destroy();
    this.#http1.close();
    this.#sessions.close();
    const timer = setTimeout(() => {
      this.#log.warn({ connections: this.#sockets.size }, "RPCs cut off at the shutdown deadline");
      for (const socket of this.#sockets) socket.destroy();
    }, deadlineMs);
    await closed;
    clearTimeout(timer);
  }
}
