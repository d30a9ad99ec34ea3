/** W3C trace context of a span, as it travels: in stored events, NATS headers, commands of edges and HTTP headers. */
export interface TraceParent {
  /** `traceparent` (W3C Trace Context, section 3.2). */
  readonly traceparent: string;
  /** `tracestate`; empty for none. */
  readonly tracestate: string;
}

/** Something that takes time, from `begin` to `end`. */
export interface Span {
  /** What others name as the parent of what they do for it; undefined when the trace is not sampled. */
  readonly context: TraceParent | undefined;
  /** Adds what was not known at the beginning. */
  set(attributes: SpanAttributes): void;
  /** It is over; with an error, or the name of one, it has failed. To be called once. */
  end(error?: unknown): void;
}

/** What is known of a span: ids and numbers, never what somebody wrote, a user, an address or a secret. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** How a span begins. */
export interface SpanOptions {
  /** Whose part it is, here or in another process. Default: it begins a trace, if that is sampled. */
  readonly parent?: Span | TraceParent | undefined;
  /** `server`: a request is answered; `producer` and `consumer`: the two ends of an event; `client`: somebody is asked. */
  readonly kind: "server" | "client" | "producer" | "consumer";
  readonly attributes?: SpanAttributes;
}

/**
 * Makes spans. Whoever can be traced is given one or undefined: while tracing is off it costs a comparison with
 * undefined, and nothing of OpenTelemetry is loaded but the interfaces that prom-client names.
 */
export interface Tracer {
  begin(name: string, options: SpanOptions): Span;
}

/** A span of a trace that is not sampled: nothing is kept of it, or of what is done for it. */
export const NOT_SAMPLED: Span = { context: undefined, set: () => undefined, end: () => undefined };

/** Ends a span with what becomes of a promise, which is returned as it is. */
export function traced<T>(span: Span | undefined, done: Promise<T>, found?: (value: T) => SpanAttributes): Promise<T> {
  if (span === undefined || span === NOT_SAMPLED) return done;
  done.then(
    (value) => {
      if (found) span.set(found(value));
      span.end();
    },
    (error: unknown) => span.end(error),
  );
  return done;
}
