import { create } from "@bufbuild/protobuf";
import {
  type Edge,
  EdgeSchema,
  type GetStatsResponse,
  GetStatsResponseSchema,
} from "../../gen/baccarat/v1/admin_service_pb.ts";
import type { ControlFold } from "./control-fold.ts";

/** Which edges run, and how much is going on. */
export class Edges {
  readonly #fold: ControlFold;
  readonly #epoch: string;

  constructor(options: { fold: ControlFold; epoch: string }) {
    this.#fold = options.fold;
    this.#epoch = options.epoch;
  }

  /** Every run of an edge whose lease is alive, in the order of edge ids. */
  list(): Edge[] {
    return this.#alive().sort((a, b) => compare(a.edgeId, b.edgeId) || compare(a.incarnation, b.incarnation));
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
    });
  }

  #alive(): Edge[] {
    const leases = [...this.#fold.connections.incarnations.values()].flatMap(({ lease, fence }) =>
      lease === undefined || fence !== undefined ? [] : [lease],
    );
    return leases.map((lease) =>
      create(EdgeSchema, {
        edgeId: lease.edgeId,
        incarnation: lease.incarnation,
        connections: lease.connections,
        draining: lease.draining,
        ...(lease.startTime && { startTime: lease.startTime }),
        ...(lease.renewTime && { renewTime: lease.renewTime }),
      }),
    );
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
