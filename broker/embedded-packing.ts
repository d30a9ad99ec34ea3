import type { RoomId } from "../services/ids.ts";
import type { ControlAnswer, ControlWrite, EventAnswer, EventWrite } from "./embedded-protocol.ts";

/**
 * What crosses between the threads for every write, side by side instead of as rows: a row is two objects and a buffer
 * of its own, which costs both threads several times what storing its bytes does. So does each list or buffer: there are as
 * few as can be, and what is empty is left out.
 */
export interface PackedWrites {
  readonly rooms: readonly RoomId[];
  readonly bodies: Packed;
  /** Undefined when no write has one. */
  readonly dedupeIds: readonly (string | undefined)[] | undefined;
  /** Undefined when no write deletes anything. */
  readonly deletedSeqs: readonly number[] | undefined;
}

/** ControlWrites. */
export interface PackedChanges {
  readonly ops: readonly ControlWrite["op"][];
  readonly keys: readonly string[];
  /** Of a deletion none. */
  readonly values: Packed;
}

/** Where each of several pieces ends, as 32-bit numbers, and the pieces one after the other. */
type Packed = Uint8Array<ArrayBuffer>;

/** EventAnswers, three numbers each: seq, prevSeq, and 1 for a duplicate. */
export type PackedAnswers = Float64Array<ArrayBuffer>;
/** ControlAnswers, two numbers each: the revision, and 1 when it was applied. */
export type PackedOutcomes = Float64Array<ArrayBuffer>;

const NUMBERS = 3;
const OUTCOME_NUMBERS = 2;
const NOTHING = new Uint8Array();

/** Packs writes whose bodies have `bytes` bytes together; undefined for none. */
export function packWrites(writes: readonly EventWrite[], bytes: number): PackedWrites | undefined {
  if (writes.length === 0) return undefined;
  return {
    rooms: writes.map(({ room }) => room),
    bodies: pack(writes, bytes, ({ body }) => body),
    dedupeIds: writes.some(({ dedupeId }) => dedupeId !== undefined)
      ? writes.map(({ dedupeId }) => dedupeId)
      : undefined,
    deletedSeqs: writes.some(({ deletedSeq }) => deletedSeq > 0)
      ? writes.map(({ deletedSeq }) => deletedSeq)
      : undefined,
  };
}

/** The writes again; their bodies share one buffer. */
export function unpackWrites(packed: PackedWrites | undefined): EventWrite[] {
  if (packed === undefined) return [];
  const { rooms, dedupeIds, deletedSeqs } = packed;
  const bodies = unpack(packed.bodies, rooms.length);
  return rooms.map((room, index) => ({
    room,
    body: bodies[index] ?? NOTHING,
    dedupeId: dedupeIds?.[index],
    deletedSeq: deletedSeqs?.[index] ?? 0,
  }));
}

/** Packs changes of the control log whose values have `bytes` bytes together; undefined for none. */
export function packChanges(changes: readonly ControlWrite[], bytes: number): PackedChanges | undefined {
  if (changes.length === 0) return undefined;
  return {
    ops: changes.map(({ op }) => op),
    keys: changes.map(({ key }) => key),
    values: pack(changes, bytes, (change) => (change.op === "delete" ? NOTHING : change.value)),
  };
}

/** The changes again; their values share one buffer. */
export function unpackChanges(packed: PackedChanges | undefined): ControlWrite[] {
  if (packed === undefined) return [];
  const { ops, keys } = packed;
  const values = unpack(packed.values, keys.length);
  return keys.map((key, index) => {
    const op = ops[index] ?? "delete";
    return op === "delete" ? { op, key } : { op, key, value: values[index] ?? NOTHING };
  });
}

/** Packs answers; undefined for none. */
export function packAnswers(answers: readonly EventAnswer[]): PackedAnswers | undefined {
  if (answers.length === 0) return undefined;
  const packed = new Float64Array(answers.length * NUMBERS);
  for (const [index, { seq, prevSeq, duplicate }] of answers.entries()) {
    packed[index * NUMBERS] = seq;
    packed[index * NUMBERS + 1] = prevSeq;
    packed[index * NUMBERS + 2] = duplicate ? 1 : 0;
  }
  return packed;
}

/** The answers again. */
export function unpackAnswers(packed: PackedAnswers | undefined): EventAnswer[] {
  if (packed === undefined) return [];
  return Array.from({ length: packed.length / NUMBERS }, (_, index) => ({
    seq: packed[index * NUMBERS] ?? 0,
    prevSeq: packed[index * NUMBERS + 1] ?? 0,
    duplicate: packed[index * NUMBERS + 2] === 1,
  }));
}

/** Packs what became of changes; undefined for none. */
export function packOutcomes(answers: readonly ControlAnswer[]): PackedOutcomes | undefined {
  if (answers.length === 0) return undefined;
  const packed = new Float64Array(answers.length * OUTCOME_NUMBERS);
  for (const [index, { applied, revision }] of answers.entries()) {
    packed[index * OUTCOME_NUMBERS] = revision;
    packed[index * OUTCOME_NUMBERS + 1] = applied ? 1 : 0;
  }
  return packed;
}

/** What became of them again. */
export function unpackOutcomes(packed: PackedOutcomes | undefined): ControlAnswer[] {
  if (packed === undefined) return [];
  return Array.from({ length: packed.length / OUTCOME_NUMBERS }, (_, index) => ({
    revision: packed[index * OUTCOME_NUMBERS] ?? 0,
    applied: packed[index * OUTCOME_NUMBERS + 1] === 1,
  }));
}

function pack<T>(items: readonly T[], bytes: number, bytesOf: (item: T) => Uint8Array): Packed {
  const ends = new Uint32Array(new ArrayBuffer(items.length * Uint32Array.BYTES_PER_ELEMENT + bytes), 0, items.length);
  const packed = new Uint8Array(ends.buffer);
  let end = ends.byteLength;
  for (let index = 0; index < items.length; index++) {
    const piece = bytesOf(items[index] as T);
    packed.set(piece, end);
    end += piece.length;
    ends[index] = end;
  }
  return packed;
}

function unpack(packed: Packed, count: number): Uint8Array[] {
  const ends = new Uint32Array(packed.buffer, 0, count);
  const pieces: Uint8Array[] = [];
  let begin = ends.byteLength;
  for (const end of ends) {
    pieces.push(packed.subarray(begin, end));
    begin = end;
  }
  return pieces;
}
