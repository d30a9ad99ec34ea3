import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { Metrics } from "./metrics.ts";

/** Tells why the process should get no new work; nothing when all is well. Must not throw. */
export type Probe = () => readonly string[];

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
 * probe has some; warnings turn nothing red), /startupz (503 until everything was started once) and /metrics. It has a port of its own so that it is never reachable by clients.
 * @throws the system's error when the port cannot be bound.
 */
export async function startOpsServer(options: {
  readonly host: string;
  readonly port: number;
  readonly metrics: Metrics;
  readonly probes: readonly Probe[];
  /** What an operator should know, though the process takes work. Default: nothing. */
  readonly warnings?: readonly Probe[];
  /** Whether everything was started. Default: it was. */
  readonly started?: () => boolean;
}): Promise<OpsServer> {
  const server = createServer(
    { maxHeaderSize: 8_192, headersTimeout: 10_000, requestTimeout: 10_000 },
    answer(options),
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
  readonly metrics: Metrics;
  readonly probes: readonly Probe[];
  readonly warnings?: readonly Probe[];
  readonly started?: () => boolean;
}): RequestListener {
  const { metrics, probes, warnings = [], started = () => true } = options;
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
    metrics.render().then(
      (rendered) => reply(200, rendered.contentType, rendered.text),
      (error: unknown) => text(500, `metrics failed: ${String(error)}`),
    );
  };
}

function ask(probes: readonly Probe[]): string[] {
  return [...new Set(probes.flatMap((probe) => probe()))];
}
