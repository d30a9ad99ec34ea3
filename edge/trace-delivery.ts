import type { StoredEvent } from "../broker/broker.ts";
import { messageId } from "../services/ids.ts";
import type { TraceParent, Tracer } from "../services/tracing.ts";
import type { FanOut } from "./fan-out.ts";

/** Traces the delivery of an event that was traced when it was published. */
export type TraceDelivery = (stored: StoredEvent, trace: TraceParent) => void;

/** Spans from an event's arrival at this edge to the end of the turn in which it was written to its members. */
export function traceDelivery(options: {
  readonly tracer: Tracer;
  readonly fanOut: FanOut;
  readonly epoch: string;
  readonly edgeId: string;
}): TraceDelivery {
  const { tracer, fanOut, epoch, edgeId } = options;
  return ({ room, seq }, parent) => {
    const span = tracer.begin("deliver", {
      kind: "consumer",
      parent,
      attributes: {
        "messaging.operation.type": "receive",
        "messaging.message.id": messageId(epoch, seq),
        "baccarat.room_id": room,
        "baccarat.edge_id": edgeId,
      },
    });
    fanOut.after({ afterTurn: () => span.end() });
  };
}
