import { toJsonString } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import type { Position } from "../../../gen/baccarat/v1/event_pb.ts";
import type { WatchRoomRequest } from "../../../gen/baccarat/v1/room_service_pb.ts";
import type { RevokedKey } from "../../control-keys.ts";
import { RoomError } from "../../errors.ts";
import { directUsers, parseRoomId, parseUid, type RoomId, type Uid } from "../../ids.ts";
import { isTokenId } from "../../tokens.ts";
import type { WatchTarget } from "../watch.ts";

/** The room a request names. @throws RoomError invalid_argument. */
export function parsedRoomId(value: string, field = "room_id"): RoomId {
  const rule = "must be 1 to 64 of A-Z a-z 0-9 _ . : @ -, or direct:<uid>:<uid> with two sorted uids";
  return parseRoomId(value) ?? invalid(field, rule);
}

/** Characters before the `*`: the beginning of an id that is no conversation's. */
const PATTERN = /^(?!direct:)[A-Za-z0-9_.:@-]{0,64}\*$/;

/** What a request wants to follow. @throws RoomError invalid_argument. */
export function parsedTarget({ case: field, value }: WatchRoomRequest["target"]): WatchTarget {
  if (field === undefined) return invalid("room_id", "or room_pattern is needed");
  if (field === "roomId") return { room: parsedRoomId(value) };
  if (PATTERN.test(value)) return { pattern: value };
  const room = parseRoomId(value);
  if (room !== undefined && !directUsers(room)) return { room };
  return invalid(
    "room_pattern",
    "must be a room id, or the beginning of one and `*`; it matches no direct conversation",
  );
}

/** The position a request names, if any. @throws RoomError invalid_argument. */
export function parsedPosition(value: Position | undefined, field: string): Position | undefined {
  if (value !== undefined) parsedSeq(value.seq, `${field}.seq`);
  return value;
}

/** The user a request names. @throws RoomError invalid_argument. */
export function parsedUid(value: string, field = "uid"): Uid {
  return parseUid(value) ?? invalid(field, "must be 1 to 64 of A-Z a-z 0-9 _ . @ | -");
}

/** Whose tokens, or which one, a request takes back. @throws RoomError invalid_argument. */
export function parsedRevocation(uid: string, tokenId: string): RevokedKey {
  if ((uid === "") === (tokenId === "")) return invalid("uid", "or token_id is needed, not both");
  if (uid !== "") return { uid: parsedUid(uid) };
  return isTokenId(tokenId) ? { tokenId } : invalid("token_id", "must be 1 to 128 characters of printable ASCII");
}

/** The parsed value, undefined for the empty string, which is how proto3 says that nothing was given. */
export function optional<T>(value: string, parse: (value: string) => T): T | undefined {
  return value === "" ? undefined : parse(value);
}

/** The message, which must be given. @throws RoomError invalid_argument. */
export function required<T>(value: T | undefined, field: string): T {
  return value ?? invalid(field, "is missing");
}

/** A position, which beyond this module is a number. @throws RoomError invalid_argument above 2^53 - 1: no log gets there. */
export function parsedSeq(value: bigint, field: string): bigint {
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? invalid(field, "is above 2^53 - 1") : value;
}

/** JSON text of a value, `null` when absent. @throws RoomError invalid_argument for what JSON cannot say, such as NaN. */
export function jsonText(value: Value | undefined, field: string): string {
  if (value === undefined) return "null";
  try {
    return toJsonString(ValueSchema, value);
  } catch (cause) {
    throw new RoomError("invalid_argument", `${field} cannot be written as JSON`, { metadata: { field }, cause });
  }
}

/** @throws RoomError invalid_argument: the field breaks the rule. */
export function invalid(field: string, rule: string): never {
  throw new RoomError("invalid_argument", `${field} ${rule}`, { metadata: { field } });
}
