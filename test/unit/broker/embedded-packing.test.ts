import {
  array,
  assert as check,
  constant,
  constantFrom,
  integer,
  nat,
  oneof,
  option,
  property,
  record,
  string,
  uint8Array,
} from "fast-check";
import { describe, expect, it } from "vitest";
import {
  packAnswers,
  packChanges,
  packOutcomes,
  packWrites,
  unpackAnswers,
  unpackChanges,
  unpackOutcomes,
  unpackWrites,
} from "../../../broker/embedded-packing.ts";
import type { RoomId } from "../../../services/ids.ts";

const seq = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

describe("packing", () => {
  it("gives writes back as they were, on the other side of a thread's port too", () => {
    const write = record({
      room: string({ minLength: 1 }).map((room) => room as RoomId),
      body: uint8Array({ maxLength: 100 }),
      dedupeId: option(string(), { nil: undefined }),
      deletedSeq: seq,
    });
    check(
      property(array(write), (writes) => {
        const bytes = writes.reduce((sum, { body }) => sum + body.length, 0);
        expect(unpackWrites(structuredClone(packWrites(writes, bytes)))).toEqual(writes);
      }),
    );
  });

  it("gives answers back as they were", () => {
    const answer = record({ seq, prevSeq: seq, duplicate: nat({ max: 1 }).map((one) => one === 1) });
    check(
      property(array(answer), (answers) => {
        expect(unpackAnswers(structuredClone(packAnswers(answers)))).toEqual(answers);
      }),
    );
  });

  it("gives changes of the control log back as they were, and what became of them", () => {
    const put = record({ op: constantFrom("put", "create"), key: string(), value: uint8Array({ maxLength: 100 }) });
    const change = oneof(put, record({ op: constant("delete"), key: string() }));
    check(
      property(array(change), (changes) => {
        const bytes = changes.reduce((sum, one) => sum + ("value" in one ? one.value.length : 0), 0);
        expect(unpackChanges(structuredClone(packChanges(changes, bytes)))).toEqual(changes);
      }),
    );
    const outcome = record({ revision: seq, applied: nat({ max: 1 }).map((one) => one === 1) });
    check(
      property(array(outcome), (outcomes) => {
        expect(unpackOutcomes(structuredClone(packOutcomes(outcomes)))).toEqual(outcomes);
      }),
    );
  });
});
