import type { RoomId } from "../services/ids.ts";
import type { ControlEntry, HistoryRange, RoomPosition } from "./broker.ts";
import type { PackedAnswers, PackedChanges, PackedOutcomes, PackedWrites } from "./embedded-packing.ts";
import type { OpenProblem } from "./open-error.ts";
import type { Retention } from "./retention.ts";

/** What crosses between the main thread and the storage thread of the embedded engine. */

/** How the storage is opened; given to the storage thread as its workerData. */
export interface StorageOptions {
  readonly dataDir: string;
  readonly retention: Retention;
  /** Size of the database file above which writes fail as on a full disk. Default: none. */
  readonly maxFileBytes?: number | undefined;
}

/** An event to store. */
export interface EventWrite {
  readonly room: RoomId;
  /** The event's bytes. */
  readonly body: Uint8Array;
  readonly dedupeId: string | undefined;
  /** Seq of the event to wipe, 0 for none. */
  readonly deletedSeq: number;
}

/** What became of an EventWrite. */
export interface EventAnswer {
  readonly seq: number;
  readonly prevSeq: number;
  readonly duplicate: boolean;
}

/** A change of the control log. */
export type ControlWrite =
  | { readonly op: "put" | "create"; readonly key: string; readonly value: Uint8Array }
  | { readonly op: "delete"; readonly key: string };

/** What became of a ControlWrite. */
export interface ControlAnswer {
  /** False when a `create` found the key. */
  readonly applied: boolean;
  /** Revision of the control log after it. */
  readonly revision: number;
}

/** A stored event of one room. */
export interface EventRow {
  readonly seq: number;
  readonly body: Uint8Array;
}

/** A stored event of any room. */
export interface TailRow extends EventRow {
  readonly room: RoomId;
  readonly prevSeq: number;
}

/** A page of a room, oldest first. */
export interface HistoryRows extends RoomPosition {
  readonly rows: readonly EventRow[];
  /** Seq of the shown event before the first one, 0 when there is none. */
  readonly prevSeq: number;
  readonly hasMore: boolean;
}

/** A page of the whole log, oldest first. */
export interface TailRows {
  readonly rows: readonly TailRow[];
  /** True when the log ends with this page. */
  readonly complete: boolean;
}

/** Every read: what it takes and what it gives. */
export interface Reads {
  history: { ask: { readonly room: RoomId; readonly range: HistoryRange }; answer: HistoryRows };
  position: { ask: { readonly room: RoomId }; answer: RoomPosition };
  logEnd: { ask: object; answer: number };
  logStart: { ask: object; answer: number };
  storedAt: { ask: { readonly seq: number }; answer: number | undefined };
  tail: { ask: { readonly after: number }; answer: TailRows };
  entry: { ask: { readonly key: string }; answer: ControlEntry | undefined };
  entries: { ask: object; answer: ControlEntry[] };
}
export type ReadKind = keyof Reads;
/** A read to be done. */
export type Read<K extends ReadKind = ReadKind> = { [P in K]: { readonly kind: P } & Reads[P]["ask"] }[K];
/** What a read gives. */
export type ReadAnswer<K extends ReadKind = ReadKind> = { [P in K]: Reads[P]["answer"] }[K];

/** Everything that was asked within one turn: writes are one transaction, reads come after it. */
export interface Request {
  readonly kind: "request";
  /** Grows with every failed transaction the main thread hears of: see embedded-worker.ts. */
  readonly series: number;
  /** What is undefined, here and below, is empty. */
  readonly events: PackedWrites | undefined;
  readonly control: PackedChanges | undefined;
  readonly reads: readonly Read[] | undefined;
}

/** A value, or why there is none. */
export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

/** What a transaction did, in the order of its writes. */
export interface Written {
  readonly events: PackedAnswers | undefined;
  readonly control: PackedOutcomes | undefined;
}

/** Answer to a Request. Answers come in the order of the requests. */
export interface Answer {
  readonly kind: "answer";
  readonly written: Outcome<Written>;
  readonly reads: readonly Outcome<ReadAnswer>[] | undefined;
}

export type ToStorage = Request | { readonly kind: "backup"; readonly path: string } | { readonly kind: "close" };
export type FromStorage =
  | { readonly kind: "opened"; readonly epoch: string }
  | { readonly kind: "refused"; readonly problem: OpenProblem; readonly message: string }
  | { readonly kind: "ailing"; readonly reason: string }
  | { readonly kind: "recovered" }
  | { readonly kind: "backed_up"; readonly outcome: Outcome<void> }
  | Answer;
