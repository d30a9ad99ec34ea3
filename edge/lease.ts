import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs, timestampNow } from "@bufbuild/protobuf/wkt";
import type { ControlStore } from "../broker/broker.ts";
import { EdgeLeaseSchema } from "../gen/baccarat/v1/control_pb.ts";
import { controlKeys } from "../services/control-keys.ts";
import { FIXED } from "../services/limits.ts";
import type { Logger } from "../services/log.ts";

/** What a lease needs. */
export interface LeaseOptions {
  readonly control: ControlStore;
  readonly edgeId: string;
  readonly incarnation: string;
  /** How many connections the edge holds. */
  readonly connections: () => number;
  /** Whether the edge sends its clients away. */
  readonly draining: () => boolean;
  readonly log: Logger;
}

/**
 * Says every FIXED.leaseRenewMs that this run of the edge is alive, straight to the broker, so that RoomService is not
 * needed for it. Not being able to say so closes nothing: only learning that the lease was taken does.
 */
export class Lease {
  readonly #options: LeaseOptions;
  readonly #startedAtMs = Date.now();
  readonly #timer: NodeJS.Timeout;
  #renewing = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.renew(), FIXED.leaseRenewMs);
  }

  /** Writes the lease once; never rejects. */
  async renew(): Promise<void> {
    if (this.#renewing) return;
    this.#renewing = true;
    const { control, edgeId, incarnation, connections, draining, log } = this.#options;
    const lease = create(EdgeLeaseSchema, {
      edgeId,
      incarnation,
      startTime: timestampFromMs(this.#startedAtMs),
      renewTime: timestampNow(),
      connections: connections(),
      draining: draining(),
    });
    try {
      await control.put(controlKeys.lease(incarnation), toBinary(EdgeLeaseSchema, lease));
    } catch (error) {
      log.warn({ err: error }, "the lease could not be renewed");
    } finally {
      this.#renewing = false;
    }
  }

  /** Renews no more; the lease runs out by itself. */
  close(): void {
    clearInterval(this.#timer);
  }
}
