import type { RoomId } from "../services/ids.ts";
import type { EventAnswer, EventWrite } from "./embedded-protocol.ts";

/**
 * What crosses between the threads for every publish, side by side instead of as rows: a row is two objects and a buffer
 * of its own, which costs both threads several times what storing its bytes does.
 */
export interface PackedWrites {
  readonly rooms: readonly RoomId[];
  /** All bodies, one after the other; `ends` says where each ends. */
  readonly bodies: Uint8Array<ArrayBuffer>;
  readonly ends: Float64Array<ArrayBuffer>;
  readonly dedupeIds: readonly (string | undefined)[];
  readonly deletedSeqs: readonly number[];
}

/** EventAnswers, three numbers each: seq, prevSeq, and 1 for a duplicate. */
export type PackedAnswers = Float64Array<ArrayBuffer>;

const NUMBERS = 3;

/** Packs writes whose bodies have `bytes` bytes together. */
export function packWrites(writes: readonly EventWrite[], bytes: number): PackedWrites {
  const bodies = new Uint8Array(bytes);
  const ends = new Float64Array(writes.length);
  let end = 0;
  for (const [index, { body }] of writes.entries()) {
    bodies.set(body, end);
    end += body.length;
    ends[index] = end;
  }
  return {
    rooms: writes.map(({ room }) => room),
    bodies,
    ends,
    dedupeIds: writes.map(({ dedupeId }) => dedupeId),
    deletedSeqs: writes.map(({ deletedSeq }) => deletedSeq),
  };
}

/** The writes again; their bodies share one buffer. */
export function unpackWrites({ rooms, bodies, ends, dedupeIds, deletedSeqs }: PackedWrites): EventWrite[] {
  return rooms.map((room, index) => ({
    room,
    body: bodies.subarray(ends[index - 1] ?? 0, ends[index]),
    dedupeId: dedupeIds[index],
    deletedSeq: deletedSeqs[index] ?? 0,
  }));
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
