import {
  type Context,
  createTraceState,
  DiagLogLevel,
  diag,
  type Span as OtelSpan,
  type Tracer as OtelTracer,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { RoomError } from "./errors.ts";
import type { Logger } from "./log.ts";
import {
  NOT_SAMPLED,
  type Span,
  type SpanAttributes,
  type SpanOptions,
  type TraceParent,
  type Tracer,
} from "./tracing.ts";

/** Names of OTEL_TRACES_SAMPLER. */
export type SamplerName =
  | "always_on"
  | "always_off"
  | "traceidratio"
  | "parentbased_always_on"
  | "parentbased_always_off"
  | "parentbased_traceidratio";

/** Where spans go, and which. */
export interface OtlpOptions {
  /** Base URL of a collector that takes OTLP over HTTP; `/v1/traces` is appended, as the specification has it. */
  readonly endpoint: string;
  /** Sent with every export, such as an API key. */
  readonly headers: Readonly<Record<string, string>>;
  readonly sampler: SamplerName;
  /** Share of traces that are sampled, 0 to 1, for the samplers that take one. */
  readonly ratio: number;
  /** What is said of this process with every span. */
  readonly resource: SpanAttributes;
  readonly log: Logger;
}

/** A tracer that sends its spans to a collector. */
export interface OtlpTracer extends Tracer {
  /** Sends what is left, for as long as the collector takes, 3 s at most. Never rejects. */
  close(): Promise<void>;
}

/** Spans that wait for the collector; more are dropped, which is logged. */
const MAX_WAITING = 8_192;
const EXPORT_MS = { every: 1_000, longest: 5_000, last: 3_000 };

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

/** Starts sending spans. A collector that is away costs spans and a warning, nothing else. */
export function startOtlp(options: OtlpOptions): OtlpTracer {
  const { log } = options;
  const warn = (message: string): void => log.warn({ detail: message }, "tracing has trouble");
  // The SDK says nowhere else that spans were dropped or not taken.
  diag.setLogger(
    { error: warn, warn, info: () => undefined, debug: () => undefined, verbose: () => undefined },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  const exporter = new OTLPTraceExporter({
    url: `${options.endpoint}/v1/traces`,
    headers: { ...options.headers },
    timeoutMillis: EXPORT_MS.longest,
  });
  const batches = new BatchSpanProcessor({
    exporter,
    maxQueueSize: MAX_WAITING,
    scheduledDelayMillis: EXPORT_MS.every,
    exportTimeoutMillis: EXPORT_MS.longest,
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes(options.resource),
    sampler: samplerOf(options.sampler, options.ratio),
    spanProcessors: [batches],
  });
  const tracer = provider.getTracer("baccarat");
  return {
    begin: (name, span) => begin(tracer, name, span),
    async close() {
      const { promise: late, reject } = Promise.withResolvers<never>();
      const timer = setTimeout(() => reject(new Error("the collector does not answer")), EXPORT_MS.last);
      try {
        await Promise.race([provider.shutdown(), late]);
      } catch (error) {
        log.warn({ err: error }, "the last spans were not sent");
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

function begin(tracer: OtelTracer, name: string, { parent, kind, attributes }: SpanOptions): Span {
  if (parent === NOT_SAMPLED) return NOT_SAMPLED;
  const from = parent === undefined ? ROOT_CONTEXT : contextOf(parent);
  const span = tracer.startSpan(name, { kind: KINDS[kind], ...(attributes && { attributes }) }, from);
  return span.isRecording() ? new OtlpSpan(span) : NOT_SAMPLED;
}

class OtlpSpan implements Span {
  readonly #span: OtelSpan;
  readonly context: TraceParent;
  /** For spans of this process that are part of it. */
  readonly within: Context;

  constructor(span: OtelSpan) {
    this.#span = span;
    const { traceId, spanId, traceFlags, traceState } = span.spanContext();
    const flags = traceFlags.toString(16).padStart(2, "0");
    this.context = { traceparent: `00-${traceId}-${spanId}-${flags}`, tracestate: traceState?.serialize() ?? "" };
    this.within = trace.setSpan(ROOT_CONTEXT, span);
  }

  set(attributes: SpanAttributes): void {
    this.#span.setAttributes(attributes);
  }

  end(error?: unknown): void {
    if (error !== undefined) {
      // Messages of errors may name what a client sent; the reason is one of a few words.
      const known = error instanceof RoomError ? error.reason : "internal";
      this.#span.setAttribute("error.type", typeof error === "string" ? error : known);
      this.#span.setStatus({ code: SpanStatusCode.ERROR });
    }
    this.#span.end();
  }
}

/** What comes from elsewhere and is malformed begins a new trace. */
function contextOf(parent: Span | TraceParent): Context {
  if (parent instanceof OtlpSpan) return parent.within;
  const remote = "traceparent" in parent ? parent : parent.context;
  const [, version, traceId = "", spanId = "", flags = ""] =
    /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/.exec(remote?.traceparent ?? "") ?? [];
  if (remote === undefined || version === undefined || version === "ff") return ROOT_CONTEXT;
  const traceFlags = Number.parseInt(flags, 16) & TraceFlags.SAMPLED;
  const traceState = createTraceState(remote.tracestate);
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, traceState, isRemote: true });
}

function samplerOf(name: SamplerName, ratio: number): Sampler {
  const [, parentBased, root = ""] = /^(parentbased_)?(.+)$/.exec(name) ?? [];
  const sampler = rootSampler(root, ratio);
  return parentBased === undefined ? sampler : new ParentBasedSampler({ root: sampler });
}

function rootSampler(name: string, ratio: number): Sampler {
  if (name === "always_on") return new AlwaysOnSampler();
  return name === "always_off" ? new AlwaysOffSampler() : new TraceIdRatioBasedSampler(ratio);
}
