import * as read from "./config-values.ts";
import { given, optional } from "./config-variable.ts";

const TRACING = "Tracing";

/** Where spans go, and which. OpenTelemetry's own names, as far as they are read; of the others none has an effect. */
export const TRACING_VARIABLES = {
  otelExporterOtlpEndpoint: optional({
    group: TRACING,
    unset: "no tracing",
    meaning: "URL of a collector that takes OTLP over HTTP, such as http://127.0.0.1:4318; /v1/traces is appended",
    read: read.url("http", "https"),
  }),
  otelExporterOtlpHeaders: given({
    group: TRACING,
    default: "",
    unset: "none",
    secret: true,
    meaning: "comma-separated name=value sent to the collector, percent-encoded, such as an API key",
    read: (text) => (text === "" ? {} : read.headers(text)),
  }),
  otelServiceName: given({
    group: TRACING,
    default: "baccarat",
    meaning: "service.name of the spans",
    read: read.plainText,
  }),
  otelTracesSampler: given({
    group: TRACING,
    default: "parentbased_traceidratio",
    meaning:
      "which traces are kept; parentbased_ follows the decision of whoever calls, and what begins here goes by the rest",
    read: read.oneOf(
      "parentbased_traceidratio",
      "parentbased_always_on",
      "parentbased_always_off",
      "traceidratio",
      "always_on",
      "always_off",
    ),
  }),
  otelTracesSamplerArg: given({
    group: TRACING,
    default: "0.01",
    meaning: "share of traces kept by traceidratio; one of a hundred, as every message makes a trace",
    read: read.share,
  }),
};
