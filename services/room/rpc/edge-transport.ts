import { create, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import {
  type AttachRequest,
  AttachRequestSchema,
  type AttachResponse,
  EdgeService,
} from "../../../gen/baccarat/v1/edge_service_pb.ts";
import type { Logger } from "../../log.ts";
import type { Attachments } from "../attachments.ts";
import { linkSignals, untilAborted } from "./cancellation.ts";
import { toConnectError } from "./connect-errors.ts";
import { type CallObserver, logUnexpected } from "./interceptors.ts";
import { methodName } from "./methods.ts";

type Request = MessageInitShape<typeof AttachRequestSchema>;

/** What the transport needs. */
interface EdgeTransportOptions {
  readonly observer: CallObserver;
  readonly log: Logger;
}

const NAME = methodName(EdgeService.method.attach);

/**
 * How an edge in the same process reaches the control plane: EdgeService.Attach, observed and with the errors of a call
 * over the network. But there is no network and no token, as a process trusts itself, and messages are handed over as
 * they are, not as bytes: neither side changes one that it has sent or received.
 */
export function edgeTransport(
  { attachments }: { readonly attachments: Attachments },
  { observer, log }: EdgeTransportOptions,
): Transport {
  const attach = async function* (input: AsyncIterable<Request>, signal: AbortSignal): AsyncGenerator<AttachResponse> {
    const started = performance.now();
    let code = codeToString(Code.Canceled);
    try {
      yield* attachments.attach(requestsOf(input), signal);
      code = "ok";
    } catch (error) {
      const mapped = toConnectError(error, logUnexpected(log, NAME));
      if (!signal.aborted) code = codeToString(mapped.code);
      throw mapped;
    } finally {
      observer.onCall(NAME, code, (performance.now() - started) / 1_000);
    }
  };
  const onLateError = (error: unknown): void => log.warn({ err: error, method: NAME }, "RPC cleanup failed");
  return {
    unary: (method) => Promise.reject(unknown(method.name)),
    stream: async (method, signal, _timeoutMs, _header, input) => {
      if (methodName(method) !== NAME) throw unknown(method.name);
      const link = linkSignals(signal === undefined ? [] : [signal], undefined);
      const responses = untilAborted(attach(input as AsyncIterable<Request>, link.signal), link, onLateError);
      // That the method is Attach, and the messages are its own, the compiler cannot know.
      const message = responses as AsyncIterable<unknown> as AsyncIterable<MessageShape<typeof method.output>>;
      return { stream: true, service: method.parent, method, header: new Headers(), trailer: new Headers(), message };
    },
  };
}

async function* requestsOf(input: AsyncIterable<Request>): AsyncGenerator<AttachRequest> {
  for await (const request of input) yield create(AttachRequestSchema, request);
}

function unknown(method: string): ConnectError {
  return new ConnectError(`an edge does not call ${method}`, Code.Unimplemented);
}
