import { randomBytes } from "node:crypto";
import type { Config } from "./config.ts";
import type { Logger } from "./log.ts";
import type { OtlpTracer } from "./tracing-otlp.ts";

/** The tracer that the configuration asks for; undefined when it is off, and then no code of it is loaded. */
export async function openTracer(config: Config, log: Logger): Promise<OtlpTracer | undefined> {
  const { otelExporterOtlpEndpoint: endpoint, role } = config;
  if (endpoint === undefined) return undefined;
  const { startOtlp } = await import("./tracing-otlp.ts");
  return startOtlp({
    endpoint,
    headers: config.otelExporterOtlpHeaders,
    sampler: config.otelTracesSampler,
    ratio: config.otelTracesSamplerArg,
    resource: {
      "service.name": config.otelServiceName,
      "service.instance.id": config.edgeId ?? `${role}-${randomBytes(6).toString("hex")}`,
      "baccarat.role": role,
    },
    log,
  });
}
