import {
  Code,
  ConnectError,
  type ContextKey,
  createContextKey,
  type HandlerContext,
  type Interceptor,
} from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { requireScope } from "../../auth.ts";
import { RoomError } from "../../errors.ts";
import { FIXED } from "../../limits.ts";
import type { Logger } from "../../log.ts";
import type { Span, Tracer } from "../../tracing.ts";
import { CALL_OVER, deadlineExceeded, linkSignals, raced, untilAborted } from "./cancellation.ts";
import { completeDetails, toConnectError } from "./connect-errors.ts";
import { type Credentials, callerKey } from "./credentials.ts";
import { methodName, ruleOf } from "./methods.ts";

/** Hears of every RPC that ended. */
export interface CallObserver {
  /** `method` as in METHODS, `code` as Connect spells it (`ok`, `not_found`, …), both of a bounded set. */
  onCall(method: string, code: string, seconds: number): void;
}

/** What all calls pass through. */
export interface CallOptions {
  readonly credentials: Credentials;
  readonly observer: CallObserver;
  /** Default: calls are not traced. */
  readonly tracer?: Tracer | undefined;
  readonly log: Logger;
  /** Aborts when the process stops: streams end at once, so that their callers go elsewhere; other calls may finish. */
  readonly stopping: AbortSignal;
  /** Deadline of calls that are not live streams; a caller may only ask for less. Default FIXED.rpcMs. */
  readonly deadlineMs?: number;
}

/** What a call is traced as; undefined when it is not. */
export const spanKey: ContextKey<Span | undefined> = createContextKey<Span | undefined>(undefined, {
  description: "span",
});

/** Where a call is remembered from its first interceptor to its end. */
interface Call {
  succeeded: boolean;
  /** Hears that the call is over and why, an answer that is ready included. */
  onEnd: ((reason: unknown) => void) | undefined;
}
const callKey: ContextKey<Call | undefined> = createContextKey<Call | undefined>(undefined, { description: "call" });

/**
 * The first thing that happens to a call, before a byte of its request is read: it is observed, and its caller is
 * authenticated and held against the method's scope. Doing that here spares reading and decoding for strangers.
 */
export function createGate(options: CallOptions): (context: HandlerContext) => void {
  const { credentials, log } = options;
  return (context) => {
    observe(context, options);
    const { scope } = ruleOf(context.method);
    if (scope === "open") return;
    try {
      const caller = credentials.authenticate(context.requestHeader.get("authorization"));
      requireScope(caller, scope);
      context.values.set(callerKey, caller);
    } catch (error) {
      throw toConnectError(error, logUnexpected(log, methodName(context.method)));
    }
  };
}

/** Around every implementation, outermost first: errors get their public form, then the deadline. */
export function createInterceptors(options: CallOptions): Interceptor[] {
  return [mapErrors(options.log), limitTime(options)];
}

/**
 * The framework aborts a call's signal once the call is over, however it ended, with the error if there is one and before
 * that is written. So this sees also what ends before any interceptor, such as a request that cannot be decoded.
 */
function observe(context: HandlerContext, { observer, tracer, log }: CallOptions): void {
  if (isController(context)) endWithoutStack(context);
  const call: Call = { succeeded: false, onEnd: undefined };
  context.values.set(callKey, call);
  const method = methodName(context.method);
  const started = performance.now();
  const span = tracer && beginSpan(tracer, context);
  if (span) context.values.set(spanKey, span);
  const end = () => {
    const { reason } = context.signal;
    call.onEnd?.(reason);
    if (reason instanceof ConnectError && reason !== CALL_OVER) completeDetails(reason);
    const code = codeOf(call, reason);
    span?.end(code === "ok" ? undefined : code);
    const seconds = (performance.now() - started) / 1_000;
    observer.onCall(method, code, seconds);
    log.debug({ method, code, seconds, caller: context.values.get(callerKey).name }, "rpc");
  };
  context.signal.addEventListener("abort", end, { once: true });
}

interface Controller extends HandlerContext {
  abort(reason?: unknown): void;
}

/** The framework aborts calls by their contexts, though it does not say so by their type. */
function isController(context: HandlerContext): context is Controller {
  return "abort" in context && typeof context.abort === "function";
}

/** Every call ends with an abort, and without a reason that would be a new error whose stack takes long to find. */
function endWithoutStack(context: Controller): void {
  const { abort } = context;
  context.abort = (reason = CALL_OVER) => abort(reason);
}

/** Streams that live as long as their caller wants are no spans: what is done on them begins traces of its own. */
function beginSpan(tracer: Tracer, { method, requestHeader }: HandlerContext): Span | undefined {
  if (ruleOf(method).live) return undefined;
  const traceparent = requestHeader.get("traceparent");
  const parent = traceparent === null ? undefined : { traceparent, tracestate: requestHeader.get("tracestate") ?? "" };
  const attributes = { "rpc.system": "connect_rpc", "rpc.service": method.parent.typeName, "rpc.method": method.name };
  return tracer.begin(methodName(method), { kind: "server", parent, attributes });
}

function codeOf(call: Call, reason: unknown): string {
  if (call.succeeded) return "ok";
  return codeToString(reason instanceof ConnectError ? reason.code : Code.Canceled);
}

function mapErrors(log: Logger): Interceptor {
  return (next) => async (request) => {
    const call = request.contextValues.get(callKey);
    const mapped = (error: unknown) => toConnectError(error, logUnexpected(log, methodName(request.method)));
    const succeed = () => {
      if (call) call.succeeded = true;
    };
    try {
      const response = await next(request);
      if (response.stream) return { ...response, message: settle(response.message, succeed, mapped) };
      succeed();
      return response;
    } catch (error) {
      throw mapped(error);
    }
  };
}

async function* settle<T>(
  messages: AsyncIterable<T>,
  succeed: () => void,
  mapped: (error: unknown) => ConnectError,
): AsyncGenerator<T> {
  try {
    yield* messages;
    succeed();
  } catch (error) {
    throw mapped(error);
  }
}

/** The framework only aborts the signal at a deadline; this also answers. */
function limitTime({ stopping, deadlineMs = FIXED.rpcMs, log }: CallOptions): Interceptor {
  return (next) => async (request) => {
    const call = request.contextValues.get(callKey);
    if (!request.stream && call) return inTime(call, request.signal, deadlineMs, next(request));
    const { live = false } = ruleOf(request.method);
    const link = linkSignals([request.signal, stopping], live ? undefined : deadlineMs);
    const onLateError = (error: unknown) =>
      log.warn({ err: error, method: methodName(request.method) }, "RPC cleanup failed");
    try {
      const response = await raced(link.signal, next({ ...request, signal: link.signal }));
      if (response.stream) return { ...response, message: untilAborted(response.message, link, onLateError) };
      link.release();
      return response;
    } catch (error) {
      link.release();
      throw error;
    }
  };
}

/** The answer, or the reason why the call is over before there is one; with that the framework aborts the call's signal. */
function inTime<T>(call: Call, signal: AbortSignal, deadlineMs: number, answer: Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => reject(deadlineExceeded()), deadlineMs);
  call.onEnd = (reason) => {
    clearTimeout(timer);
    reject(reason);
  };
  if (signal.aborted) call.onEnd(signal.reason);
  answer.then(resolve, reject);
  return promise;
}

/** Logs what callers are told as `internal` only. */
export function logUnexpected(log: Logger, method: string): (error: unknown, correlationId: string) => void {
  return (error, correlationId) => log.error({ err: error, correlationId, method }, "RPC failed unexpectedly");
}

/** Why streams end when the process stops. */
export const STOPPING = new RoomError("unavailable", "this process is stopping; call another or try again");
