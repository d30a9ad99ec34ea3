import { setImmediate as endOfTurn } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import {
  type AttachResponse,
  AttachResponseSchema,
  type EdgeUpdate,
  EdgeUpdateSchema,
} from "../../gen/baccarat/v1/edge_service_pb.ts";

/** About how many bytes one response holds. What is larger goes alone: a join's history and snapshot, below FIXED.rpcBytes. */
const RESPONSE_BYTES = 512 * 1024;
/** Above this many bytes waiting, no further commands are read from the edge. */
const HIGH_BYTES = 2 * 1024 * 1024;
/** What may wait at most. Presence cannot be slowed down: an edge that is this far behind is better off with a re-sync. */
const MAX_BYTES = 32 * 1024 * 1024;

/** An update and at least how many bytes it has. */
export interface SizedUpdate {
  readonly update: EdgeUpdate["update"];
  readonly bytes: number;
}

/**
 * What waits to be sent to one edge, bounded. What was pushed within one turn of the event loop becomes one response.
 */
export class AttachOutbox {
  #waiting: SizedUpdate[] = [];
  #bytes = 0;
  #later: Iterator<SizedUpdate> | undefined;
  #end: { readonly error: Error | undefined } | undefined;
  #wake = Promise.withResolvers<void>();
  #space = Promise.withResolvers<void>();

  /** Adds an update; false when too much waits already, which the caller has to end the stream for. */
  push(sized: SizedUpdate): boolean {
    if (this.#end !== undefined) return true;
    if (this.#bytes > MAX_BYTES) return false;
    this.#waiting.push(sized);
    this.#bytes += sized.bytes;
    this.#wake.resolve();
    return true;
  }

  /** Adds updates that are made only when there is space for them, after what waits by then. */
  pushLater(updates: Iterator<SizedUpdate>): void {
    this.#later = updates;
    this.#wake.resolve();
  }

  /** Ends the stream once everything that waits was sent. */
  finish(): void {
    this.#stop({ error: undefined });
  }

  /** Ends the stream with an error, without what waits. */
  fail(error: Error): void {
    if (this.#end !== undefined) return;
    this.#waiting = [];
    this.#bytes = 0;
    this.#later = undefined;
    this.#stop({ error });
  }

  /** True when there is space for answers to further commands, or at the end. */
  get hasSpace(): boolean {
    return this.#bytes <= HIGH_BYTES || this.#end !== undefined;
  }

  /** Resolves when that is so. */
  async space(): Promise<void> {
    while (!this.hasSpace) await this.#space.promise;
  }

  /** What is sent. To be read once. @throws what the stream was failed with. */
  async *responses(): AsyncGenerator<AttachResponse> {
    for (;;) {
      const updates = this.#take();
      if (updates.length > 0) {
        yield create(AttachResponseSchema, { updates });
      } else if (this.#end !== undefined) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return;
      } else {
        this.#wake = Promise.withResolvers();
        await this.#wake.promise;
        await endOfTurn();
      }
    }
  }

  #take(): EdgeUpdate[] {
    const updates: EdgeUpdate[] = [];
    let bytes = 0;
    let taken = 0;
    for (const sized of this.#waiting) {
      if (bytes > 0 && bytes + sized.bytes > RESPONSE_BYTES) break;
      updates.push(create(EdgeUpdateSchema, { update: sized.update }));
      bytes += sized.bytes;
      taken++;
    }
    this.#waiting = this.#waiting.slice(taken);
    this.#bytes -= bytes;
    while (this.#later !== undefined && this.#waiting.length === 0 && bytes <= RESPONSE_BYTES) {
      const step = this.#later.next();
      if (step.done) {
        this.#later = undefined;
      } else {
        updates.push(create(EdgeUpdateSchema, { update: step.value.update }));
        bytes += step.value.bytes;
      }
    }
    this.#space.resolve();
    this.#space = Promise.withResolvers();
    return updates;
  }

  #stop(end: { readonly error: Error | undefined }): void {
    this.#end ??= end;
    this.#wake.resolve();
    this.#space.resolve();
  }
}
