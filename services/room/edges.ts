import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Edge,
  EdgeSchema,
  type GetStatsResponse,
  GetStatsResponseSchema,
} from "../../gen/baccarat/v1/admin_service_pb.ts";
import { EdgeDrainSchema } from "../../gen/baccarat/v1/control_pb.ts";
import { controlKeys } from "../control-keys.ts";
import { RoomError } from "../errors.ts";
import type { ControlFold } from "./control-fold.ts";
import type { ControlWriter } from "./control-writer.ts";
import type { EventRate } from "./event-rate.ts";

/** Which edges run, how much is going on, and how one is emptied. */
export class Edges {
  readonly #fold: ControlFold;
  readonly #writer: ControlWriter;
  readonly #epoch: string;
  readonly #logRate: EventRate;
  readonly #now: () => number;

  /** @param options.logRate counts what is stored in the whole log. */
  constructor(options: {
    fold: ControlFold;
    writer: ControlWriter;
    epoch: string;
    logRate: EventRate;
    now: () => number;
  }) {
    this.#fold = options.fold;
    this.#writer = options.writer;
    this.#epoch = options.epoch;
    this.#logRate = options.logRate;
    this.#now = options.now;
  }

  /** Every run of an edge whose lease is alive, in the order of edge ids. */
  list(): Edge[] {
    return this.#alive().sort((a, b) => compare(a.edgeId, b.edgeId) || compare(a.incarnation, b.incarnation));
  }

  /**
   * Has an edge send its clients elsewhere. It hears so wherever it is attached, or as soon as it is again.
   * @param before what is to be done first, once it is clear that there is such an edge.
   * @returns connections it held when it last renewed its lease.
   * @throws RoomError invalid_argument when no such edge is alive, unavailable, and whatever `before` throws.
   */
  async drain(edgeId: string, before: () => Promise<void>): Promise<number> {
    const runs = this.#alive().filter((edge) => edge.edgeId === edgeId);
    if (runs.length === 0) {
      throw new RoomError("invalid_argument", "no edge of this edge_id is alive", { metadata: { field: "edge_id" } });
    }
    await before();
    const record = create(EdgeDrainSchema, { drainTime: timestampFromMs(this.#now()) });
    for (const { incarnation } of runs) {
      await this.#writer.put(controlKeys.drain(incarnation), EdgeDrainSchema, record);
    }
    return runs.reduce((total, { connections }) => total + connections, 0);
  }

  /** Counts of this moment. */
  stats(): GetStatsResponse {
    const { connections, presence } = this.#fold;
    return create(GetStatsResponseSchema, {
      clients: connections.registered,
      users: connections.users,
      rooms: presence.occupied,
      members: presence.members,
      edges: this.#alive().length,
      epoch: this.#epoch,
      eventsPerSecond: this.#logRate.perSecond(),
    });
  }

  #alive(): Edge[] {
    const alive = [...this.#fold.connections.incarnations.values()].flatMap(({ lease, traffic, fence }) =>
      lease === undefined || fence !== undefined ? [] : [{ lease, traffic }],
    );
    return alive.map(({ lease, traffic }) =>
      create(EdgeSchema, {
        edgeId: lease.edgeId,
        incarnation: lease.incarnation,
        connections: lease.connections,
        draining: lease.draining,
        ...(lease.startTime && { startTime: lease.startTime }),
        ...(lease.renewTime && { renewTime: lease.renewTime }),
        ...(traffic && { traffic }),
      }),
    );
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
