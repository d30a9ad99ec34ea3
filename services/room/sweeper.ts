import { create } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { ControlStore, Unsubscribe } from "../../broker/broker.ts";
import { EdgeFenceSchema } from "../../gen/baccarat/v1/control_pb.ts";
import { controlKeys } from "../control-keys.ts";
import { RoomError } from "../errors.ts";
import { FIXED } from "../limits.ts";
import type { Logger } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { Clients } from "./clients.ts";
import type { ControlFold } from "./control-fold.ts";
import type { ControlWriter } from "./control-writer.ts";
import { eachBounded } from "./each-bounded.ts";
import type { Change, FoldedIncarnation } from "./folded.ts";

/** How often leases are looked at, in milliseconds: a dead edge's members leave this much after its lease at the latest. */
const SWEEP_MS = 1_000;
/** Connections of a dead edge taken out at once. */
const CLIENTS = 64;
/** How long it is remembered that a run of an edge was given up, in milliseconds. */
const FENCE_MS = 24 * 3_600_000;

/**
 * Gives up edges whose lease ended, and takes out what they left. Every replica does it; the keys are the same, so that
 * one finishes what another began.
 *
 * Only time in which this replica could have seen a renewal counts: after an interruption of its watch every lease gets
 * its full time again, and time in which this process itself stood still counts as one round.
 */
export class Sweeper {
  readonly #control: ControlStore;
  readonly #fold: ControlFold;
  readonly #writer: ControlWriter;
  readonly #clients: Clients;
  readonly #log: Logger;
  readonly #metrics: Metrics | undefined;
  readonly #now: () => number;
  /** When each run of an edge was last seen alive, by #clock. */
  readonly #seen = new Map<string, number>();
  /** Milliseconds in which renewals could be seen. */
  #clock = 0;
  #sweeping: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #unsubscribe: Unsubscribe | undefined;

  constructor(options: {
    control: ControlStore;
    fold: ControlFold;
    writer: ControlWriter;
    clients: Clients;
    log: Logger;
    metrics: Metrics | undefined;
    now: () => number;
  }) {
    this.#control = options.control;
    this.#fold = options.fold;
    this.#writer = options.writer;
    this.#clients = options.clients;
    this.#log = options.log;
    this.#metrics = options.metrics;
    this.#now = options.now;
  }

  /** Begins to look at leases. */
  start(): void {
    this.#unsubscribe = this.#fold.onChange((change) => this.#onChange(change));
    let lookedAt = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      void this.sweep(Math.min(now - lookedAt, 2 * SWEEP_MS));
      lookedAt = now;
    }, SWEEP_MS);
  }

  /** Stops looking, once a round under way is over. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#unsubscribe?.();
    await this.#sweeping;
  }

  /**
   * One round; joins the one under way. Never rejects: what could not be stored is done in the next.
   * @param elapsedMs time since the last round in which this process ran.
   */
  sweep(elapsedMs: number): Promise<void> {
    if (this.#fold.healthy) this.#clock += elapsedMs;
    this.#sweeping ??= this.#round().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  #onChange(change: Change): void {
    if (change.kind === "caught_up" || change.kind === "interrupted") this.#seen.clear();
    else if (change.kind === "lease") this.#seen.set(change.incarnation.incarnation, this.#clock);
  }

  async #round(): Promise<void> {
    const runs = [...this.#fold.connections.incarnations.values()];
    for (const incarnation of this.#seen.keys()) {
      if (!this.#fold.connections.incarnations.has(incarnation)) this.#seen.delete(incarnation);
    }
    for (const run of runs) {
      if (!this.#fold.healthy) return;
      try {
        if (run.fence === undefined) await this.#judge(run);
        if (run.fence !== undefined) await this.#clear(run);
      } catch (error) {
        const unavailable = error instanceof RoomError && error.reason === "unavailable";
        this.#log[unavailable ? "warn" : "error"]({ err: error, incarnation: run.incarnation }, "sweep failed");
      }
    }
  }

  /** Fences a run that was not seen alive for the time of a lease. */
  async #judge(run: FoldedIncarnation): Promise<void> {
    const { incarnation } = run;
    const seen = this.#seen.get(incarnation);
    if (seen === undefined) this.#seen.set(incarnation, this.#clock);
    if (seen === undefined || this.#clock - seen < FIXED.leaseMs) return;
    // Asked at the store itself: should the watch be late without knowing, a renewal is found there.
    const stored = await this.#control.get(controlKeys.lease(incarnation));
    if ((stored?.revision ?? 0) > run.leaseRevision) {
      this.#seen.set(incarnation, this.#clock);
      return;
    }
    const edgeId = run.lease?.edgeId ?? "";
    const fence = create(EdgeFenceSchema, { edgeId, fenceTime: timestampFromMs(this.#now()) });
    const first = await this.#writer.create(controlKeys.fence(incarnation), EdgeFenceSchema, fence);
    if (!first) return;
    const drained = run.lease?.draining === true;
    this.#metrics?.sweepsTotal.inc({ cause: drained ? "drained" : "lost" });
    const level = drained ? "info" : "warn";
    this.#log[level](
      { edgeId, incarnation, clients: run.clients.size },
      "an edge's lease ended: taking its members out",
    );
  }

  /** Deletes everything of a fenced run, the lease last: as long as it is there, some replica goes on. */
  async #clear(run: FoldedIncarnation): Promise<void> {
    await eachBounded([...run.clients], CLIENTS, (client) => this.#clients.unregister(client, "left"));
    if (run.attachedAt > 0) await this.#writer.delete(controlKeys.attachment(run.incarnation));
    if (run.drain !== undefined) await this.#writer.delete(controlKeys.drain(run.incarnation));
    if (run.traffic !== undefined) await this.#writer.delete(controlKeys.traffic(run.incarnation));
    if (run.lease !== undefined) await this.#writer.delete(controlKeys.lease(run.incarnation));
    const fencedAt = run.fence?.fenceTime === undefined ? 0 : timestampMs(run.fence.fenceTime);
    if (this.#now() - fencedAt > FENCE_MS) await this.#writer.delete(controlKeys.fence(run.incarnation));
  }
}
