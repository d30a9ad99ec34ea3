import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { isLoopback } from "./config-values.ts";
import type { Metrics } from "./metrics.ts";
import { hasLoopbackName, parseListenerUrl } from "./origin.ts";

/** Tells why the process should get no new work; nothing when all is well. Must not throw. */
export type Probe = () => readonly string[];

/** Numbers as the server shows them: Metrics, or what stands for those of several processes. */
export interface OpsMetrics {
  readonly ready: Pick<Metrics["ready"], "set">;
  readonly warnings: Pick<Metrics["warnings"], "set">;
  /** Everything, in the text format of Prometheus. */
  render(): Promise<{ readonly contentType: string; readonly text: string }>;
}

/** The running server. */
export interface OpsServer {
  /** Port really used. */
  readonly port: number;
  /** Ends it and every connection to it. */
  close(): Promise<void>;
}

const ROUTES: ReadonlySet<string> = new Set(["/livez", "/readyz", "/startupz", "/metrics"]);

/**
 * Serves what operators and orchestrators ask for: /livez (the event loop turns), /readyz (503 with reasons while any
 * probe has some; warnings turn nothing red), /startupz (503 until everything was started once) and /metrics. It has a
 * port of its own so that it is never reachable by clients. On loopback it answers to names of the loopback only, so that
 * no web page reaches it by rebinding its own name.
 * @throws the system's error when the port cannot be bound.
 */
export async function startOpsServer(options: {
  readonly host: string;
  readonly port: number;
  readonly metrics: OpsMetrics;
  readonly probes: readonly Probe[];
  /** What an operator should know, though the process takes work. Default: nothing. */
  readonly warnings?: readonly Probe[];
  /** Whether everything was started. Default: it was. */
  readonly started?: () => boolean;
}): Promise<OpsServer> {
  const server = createServer(
    { maxHeaderSize: 8_192, headersTimeout: 10_000, requestTimeout: 10_000 },
    answer({ ...options, loopbackOnly: isLoopback(options.host) }),
  );
  server.listen(options.port, options.host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(options: {
  readonly loopbackOnly: boolean;
  readonly metrics: OpsMetrics;
  readonly probes: readonly Probe[];
  readonly warnings?: readonly Probe[];
  readonly started?: () => boolean;
}): RequestListener {
  const { loopbackOnly, metrics, probes, warnings = [], started = () => true } = options;
  return (request, response) => {
    const reply = (status: number, contentType: string, body: string): void => {
      response.writeHead(status, {
        "content-type": contentType,
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
      });
      response.end(body);
    };
    const text = (status: number, body: string): void => reply(status, "text/plain; charset=utf-8", `${body}\n`);

    const { host } = request.headers;
    // Probes of HTTP/1.0 name no host; browsers always do.
    if (loopbackOnly && host !== undefined && !isOwnName(host)) {
      return text(421, "on loopback this answers as localhost, 127.0.0.1 or [::1] only");
    }
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    if (!ROUTES.has(path)) return text(404, "not found; there are /livez, /readyz, /startupz and /metrics");
    if (request.method !== "GET" && request.method !== "HEAD") return text(405, "only GET and HEAD");
    if (path === "/livez") return text(200, "ok");
    if (path === "/startupz") return started() ? text(200, "ok") : text(503, "starting");
    if (path === "/readyz") {
      const reasons = ask(probes);
      const body = JSON.stringify({ ready: reasons.length === 0, reasons, warnings: ask(warnings) });
      return reply(reasons.length === 0 ? 200 : 503, "application/json", `${body}\n`);
    }
    metrics.ready.set(ask(probes).length === 0 ? 1 : 0);
    metrics.warnings.set(ask(warnings).length);
    metrics.render().then(
      (rendered) => reply(200, rendered.contentType, rendered.text),
      (error: unknown) => text(500, `metrics failed: ${String(error)}`),
    );
  };
}

function isOwnName(host: string): boolean {
  const url = parseListenerUrl("http", host);
  return url !== undefined && hasLoopbackName(url);
}

/** What probes say, each thing once. */
export function ask(probes: readonly Probe[]): string[] {
  return [...new Set(probes.flatMap((probe) => probe()))];
}
