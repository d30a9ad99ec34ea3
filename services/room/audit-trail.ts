import type { AuditRecord } from "../../gen/baccarat/v1/control_pb.ts";
import type { AuditEvent } from "../../gen/baccarat/v1/moderation_pb.ts";

/** Something that was done, and its place in the control log. */
export interface RecordedAct {
  readonly id: string;
  readonly revision: number;
  readonly event: AuditEvent;
}

/** The part of the fold that remembers what moderators and operators did. */
export class AuditTrail {
  /** In the order of the log: every id is written once. */
  readonly #acts = new Map<string, RecordedAct>();

  get size(): number {
    return this.#acts.size;
  }

  put(id: string, record: AuditRecord | undefined, revision: number): void {
    if (record?.event === undefined) this.#acts.delete(id);
    else this.#acts.set(id, { id, revision, event: record.event });
  }

  /** Everything, oldest first. */
  oldest(): Iterable<RecordedAct> {
    return this.#acts.values();
  }

  /** What is stored at a place of the log or before it, newest first. */
  *newest(upTo = Number.POSITIVE_INFINITY): Generator<RecordedAct> {
    for (const act of [...this.#acts.values()].reverse()) if (act.revision <= upTo) yield act;
  }
}
