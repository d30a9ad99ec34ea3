import type { RoomId } from "../services/ids.ts";
import type { ControlAnswer, ControlWrite, EventAnswer, EventWrite } from "./embedded-protocol.ts";

/**
 * What crosses between the threads for every write, side by side instead of as rows: a row is two objects and a buffer
 * of its own, which costs both threads several times what storing its bytes does.
 */
export interface PackedWrites {
  readonly rooms: readonly RoomId[];
  readonly bodies: PackedBytes;
  readonly dedupeIds: readonly (string | undefined)[];
  readonly deletedSeqs: readonly number[];
}

/** ControlWrites. */
export interface PackedChanges {
  readonly ops: readonly ControlWrite["op"][];
  readonly keys: readonly string[];
  /** Of a deletion none. */
  readonly values: PackedBytes;
}

/** Several pieces, one after the other; `ends` says where each ends. */
interface PackedBytes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly ends: Float64Array<ArrayBuffer>;
}

/** EventAnswers, three numbers each: seq, prevSeq, and 1 for a duplicate. */
export type PackedAnswers = Float64Array<ArrayBuffer>;
/** ControlAnswers, two numbers each: the revision, and 1 when it was applied. */
export type PackedOutcomes = Float64Array<ArrayBuffer>;

const NUMBERS = 3;
const OUTCOME_NUMBERS = 2;
const NOTHING = new Uint8Array();

/** Packs writes whose bodies have `bytes` bytes together. */
export function packWrites(writes: readonly EventWrite[], bytes: number): PackedWrites {
  return {
    rooms: writes.map(({ room }) => room),
    bodies: packBytes(writes, bytes, ({ body }) => body),
    dedupeIds: writes.map(({ dedupeId }) => dedupeId),
    deletedSeqs: writes.map(({ deletedSeq }) => deletedSeq),
  };
}

/** The writes again; their bodies share one buffer. */
export function unpackWrites({ rooms, bodies, dedupeIds, deletedSeqs }: PackedWrites): EventWrite[] {
  return rooms.map((room, index) => ({
    room,
    body: bytesOf(bodies, index),
    dedupeId: dedupeIds[index],
    deletedSeq: deletedSeqs[index] ?? 0,
  }));
}

/** Packs changes of the control log whose values have `bytes` bytes together. */
export function packChanges(changes: readonly ControlWrite[], bytes: number): PackedChanges {
  return {
    ops: changes.map(({ op }) => op),
    keys: changes.map(({ key }) => key),
    values: packBytes(changes, bytes, (change) => (change.op === "delete" ? NOTHING : change.value)),
  };
}

/** The changes again; their values share one buffer. */
export function unpackChanges({ ops, keys, values }: PackedChanges): ControlWrite[] {
  return keys.map((key, index) => {
    const op = ops[index] ?? "delete";
    return op === "delete" ? { op, key } : { op, key, value: bytesOf(values, index) };
  });
}

/** Packs answers. */
export function packAnswers(answers: readonly EventAnswer[]): PackedAnswers {
  const packed = new Float64Array(answers.length * NUMBERS);
  for (const [index, { seq, prevSeq, duplicate }] of answers.entries()) {
    packed[index * NUMBERS] = seq;
    packed[index * NUMBERS + 1] = prevSeq;
    packed[index * NUMBERS + 2] = duplicate ? 1 : 0;
  }
  return packed;
}

/** The answers again. */
export function unpackAnswers(packed: PackedAnswers): EventAnswer[] {
  return Array.from({ length: packed.length / NUMBERS }, (_, index) => ({
    seq: packed[index * NUMBERS] ?? 0,
    prevSeq: packed[index * NUMBERS + 1] ?? 0,
    duplicate: packed[index * NUMBERS + 2] === 1,
  }));
}

/** Packs what became of changes. */
export function packOutcomes(answers: readonly ControlAnswer[]): PackedOutcomes {
  const packed = new Float64Array(answers.length * OUTCOME_NUMBERS);
  for (const [index, { applied, revision }] of answers.entries()) {
    packed[index * OUTCOME_NUMBERS] = revision;
    packed[index * OUTCOME_NUMBERS + 1] = applied ? 1 : 0;
  }
  return packed;
}

/** What became of them again. */
export function unpackOutcomes(packed: PackedOutcomes): ControlAnswer[] {
  return Array.from({ length: packed.length / OUTCOME_NUMBERS }, (_, index) => ({
    revision: packed[index * OUTCOME_NUMBERS] ?? 0,
    applied: packed[index * OUTCOME_NUMBERS + 1] === 1,
  }));
}

function packBytes<T>(items: readonly T[], bytes: number, bytesOfItem: (item: T) => Uint8Array): PackedBytes {
  const packed = { bytes: new Uint8Array(bytes), ends: new Float64Array(items.length) };
  let end = 0;
  for (const [index, item] of items.entries()) {
    const piece = bytesOfItem(item);
    packed.bytes.set(piece, end);
    end += piece.length;
    packed.ends[index] = end;
  }
  return packed;
}

function bytesOf({ bytes, ends }: PackedBytes, index: number): Uint8Array {
  return bytes.subarray(ends[index - 1] ?? 0, ends[index]);
}
