import {
  create,
  type DescMessage,
  equals,
  fromJson,
  type JsonValue,
  type MessageInitShape,
  toJson,
} from "@bufbuild/protobuf";
import { expect } from "vitest";

/** Holds a frame to its payload in two ways: the same JSON as the mapping writes, and the same message when read back. */
export function expectFrame<S extends DescMessage>(
  json: string,
  type: string,
  id: string | undefined,
  schema: S,
  init: MessageInitShape<S>,
): void {
  const frame = JSON.parse(json);
  const message = create(schema, init);
  const written = toJson(schema, message, { useProtoFieldName: true, alwaysEmitImplicit: true });
  expect(frame.type).toBe(type);
  expect(frame.id).toBe(id);
  expect(frame.payload).toEqual(withAdditions(written));
  const read = fromJson(schema, frame.payload);
  expect(equals(schema, read, message)).toBe(true);
}

const SEQS = new Set(["seq", "prev_seq", "deleted_seq"]);
const ABSENT_WHEN_EMPTY = new Set([
  "from",
  "image_url",
  "to_uid",
  "client_msg_id",
  "avatar_id",
  "reason",
  "snapshot_key",
]);
const ABSENT_WHEN_FALSE = new Set(["moderator", "muted"]);
const TIMES = new Set(["sent", "time", "join_time", "token_expires_at", "muted_until"]);

/** What the protocol adds to the mapping, and milliseconds, which the mapping leaves out when they are 0. */
function withAdditions(json: JsonValue): unknown {
  if (Array.isArray(json)) return json.map(withAdditions);
  if (typeof json !== "object" || json === null) return json;
  const entries = Object.entries(json).filter(
    ([name, value]) =>
      !(ABSENT_WHEN_EMPTY.has(name) && value === "") &&
      !(name === "snapshot" && Array.isArray(value) && value.length === 0) &&
      !(ABSENT_WHEN_FALSE.has(name) && !value),
  );
  return Object.fromEntries(
    entries.map(([name, value]) => {
      if (name === "data" || name === "payload") return [name, value];
      if (SEQS.has(name)) return [name, Number(value)];
      return [name, TIMES.has(name) ? new Date(String(value)).toISOString() : withAdditions(value)];
    }),
  );
}
