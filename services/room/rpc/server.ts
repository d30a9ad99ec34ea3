import { isLoopback, type RpcToken } from "../../config-values.ts";
import { FIXED } from "../../limits.ts";
import type { Logger } from "../../log.ts";
import type { Tracer } from "../../tracing.ts";
import { openConsole } from "./console.ts";
import { Credentials } from "./credentials.ts";
import { createHttpHandler } from "./http-handler.ts";
import { type CallObserver, STOPPING } from "./interceptors.ts";
import { Listener, type ListenerTimings, type ListenerTls } from "./listener.ts";
import { createRouter, type Routes } from "./routes.ts";

/** What the RPC server needs. */
export interface RpcServerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Certificate to serve with, and authorities that must have signed the callers' own. Default: no TLS. */
  readonly tls?: ListenerTls | undefined;
  /** Who may call. Without any, everyone may do everything, so the host must then be loopback. */
  readonly tokens: readonly RpcToken[];
  /** Origins whose pages may call, beside the listener's own. */
  readonly allowedOrigins: readonly string[];
  /** The services to serve: serviceRoutes(controlPlane). Health and reflection are added to them. */
  readonly routes: Routes;
  /** What grpc.health.v1.Health answers. */
  readonly ready: () => boolean;
  readonly observer: CallObserver;
  /** Default: calls are not traced. */
  readonly tracer?: Tracer | undefined;
  /** Folder of the operators' console, served at /admin. Default: it is off. */
  readonly consoleDir?: string | undefined;
  readonly log: Logger;
  /** Longest time of a call that is no live stream, in milliseconds. Default FIXED.rpcMs. */
  readonly deadlineMs?: number;
  /** Default LISTENER_TIMINGS. */
  readonly timings?: Partial<ListenerTimings>;
}

/** A running RPC server. */
export interface RpcServer {
  readonly port: number;
  /**
   * Stops: streams end with `unavailable` at once, other calls may finish for `deadlineMs` (default 5,000), then
   * everything is cut off. Idempotent.
   */
  close(deadlineMs?: number): Promise<void>;
}

/**
 * Serves Connect, gRPC and gRPC-Web, over HTTP/1.1 and HTTP/2, on one port.
 * @throws Error when it would be open to a network; the system's error when it cannot listen.
 */
export async function startRpcServer(options: RpcServerOptions): Promise<RpcServer> {
  const { host, port, observer, tracer, log, deadlineMs = FIXED.rpcMs, timings } = options;
  const credentials = new Credentials(options.tokens);
  if (credentials.open && !isLoopback(host)) throw new Error(`RPC on ${host} needs RPC_TOKENS`);
  const stopping = new AbortController();
  const calls = { credentials, observer, tracer, log, stopping: stopping.signal, deadlineMs };
  const onRequest = createHttpHandler({
    router: createRouter(options.routes, options.ready, calls),
    rules: { loopbackHostOnly: credentials.open, allowedOrigins: options.allowedOrigins },
    pages: await openConsole(options.consoleDir),
    log,
    bodyMs: deadlineMs,
  });
  const { tls } = options;
  const listener = await Listener.open({
    host,
    port,
    onRequest,
    log,
    ...(tls && { tls }),
    ...(timings && { timings }),
  });
  return {
    port: listener.port,
    close(closeMs = 5_000) {
      stopping.abort(STOPPING);
      return listener.close(closeMs);
    },
  };
}
