import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Broker } from "../../broker/broker.ts";
import {
  type Delivery,
  DeliverySchema,
  type TraceEventResponse,
  TraceEventResponseSchema,
} from "../../gen/baccarat/v1/admin_service_pb.ts";
import { type DeliveryReport, type Signal, SignalSchema } from "../../gen/baccarat/v1/event_pb.ts";
import { RoomError } from "../errors.ts";
import { directUsers, type RoomId } from "../ids.ts";
import { FIXED } from "../limits.ts";
import type { Clients } from "./clients.ts";
import type { History } from "./history.ts";
import type { Rooms } from "./rooms.ts";
import { toFullEvent } from "./stored-events.ts";

/** How long edges are waited for, in milliseconds. */
const WAIT_MS = 500;

/**
 * Follows stored events to the edges: asks, by a signal that every edge of the room hears, when each handed an event to its
 * clients. So it does not matter to which replica an edge is attached.
 */
export class Deliveries {
  readonly #broker: Broker;
  readonly #rooms: Rooms;
  readonly #clients: Clients;
  readonly #history: History;

  constructor(options: { broker: Broker; rooms: Rooms; clients: Clients; history: History }) {
    this.#broker = options.broker;
    this.#rooms = options.rooms;
    this.#clients = options.clients;
    this.#history = options.history;
  }

  /** An event, when it was stored and where it was delivered. @throws RoomError room_not_found, invalid_argument, unavailable. */
  async trace(room: RoomId, seq: number): Promise<TraceEventResponse> {
    this.#rooms.access(room);
    const stored = await this.#history.find(room, seq);
    if (stored === undefined) {
      throw new RoomError("invalid_argument", "there is no such event, or no longer", { metadata: { field: "seq" } });
    }
    const [storedAt, deliveries] = await Promise.all([
      this.#broker.storedAt(seq),
      // Edges hear all conversations by one subscription, which carries no signals.
      directUsers(room) ? [] : this.#ask(room, seq),
    ]);
    return create(TraceEventResponseSchema, {
      event: toFullEvent(stored, this.#broker.epoch),
      deliveries,
      ...(storedAt !== undefined && { storeTime: timestampFromMs(storedAt) }),
    });
  }

  async #ask(room: RoomId, seq: number): Promise<Delivery[]> {
    const { clients } = this.#clients.list({ pageSize: FIXED.pageSize, pageToken: "", roomId: room });
    const awaited = new Set(clients.map(({ edgeId }) => edgeId));
    // Where nobody is a member an edge may serve the room yet: then whoever answers in time is heard.
    const isKnown = awaited.size > 0;
    const reports = new Map<string, DeliveryReport>();
    const all = Promise.withResolvers<void>();
    const queryId = randomUUID();
    const hear = ({ body }: Signal): void => {
      if (body.case !== "deliveryReport" || body.value.queryId !== queryId) return;
      reports.set(body.value.edgeId, body.value);
      awaited.delete(body.value.edgeId);
      if (isKnown && awaited.size === 0) all.resolve();
    };
    const unsubscribe = await this.#broker.subscribe(room, { onEvent: () => undefined, onSignal: hear });
    const timer = setTimeout(all.resolve, WAIT_MS);
    const value = { queryId, seq: BigInt(seq) };
    this.#broker.signal(room, create(SignalSchema, { roomId: room, body: { case: "deliveryQuery", value } }));
    await all.promise;
    clearTimeout(timer);
    unsubscribe();
    return [...reports.values()]
      .sort((a, b) => (a.edgeId < b.edgeId ? -1 : 1))
      .map(({ edgeId, connections, deliverTime }) =>
        create(DeliverySchema, { edgeId, connections, ...(deliverTime && { deliverTime }) }),
      );
  }
}
