/**
 * Identifiers, parsed once where they enter and branded from there on: a plain string never reaches the broker.
 * Grammar: contract "Ids". Both kinds are case-sensitive; nothing is trimmed or normalised.
 */
declare const brand: unique symbol;

/** A room's id: 1–64 of `[A-Za-z0-9_.:@-]`, or `direct:<uid>:<uid>` with two different uids in code-unit order. */
export type RoomId = string & { readonly [brand]: "RoomId" };
/** A user's id: 1–64 of `[A-Za-z0-9_.@|-]`. A service's `service:<name>` is no Uid, so no user can take its place. */
export type Uid = string & { readonly [brand]: "Uid" };

const ROOM = /^[A-Za-z0-9_.:@-]{1,64}$/;
const UID = /^[A-Za-z0-9_.@|-]{1,64}$/;
const DIRECT = "direct:";
const CUSTOM_TYPE = /^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$/;
const CUSTOM_TYPE_MAX = 64;
const SNAPSHOT_KEY = /^[A-Za-z0-9_.-]{1,64}$/;

/** Parses a room's id, direct conversations included. */
export function parseRoomId(value: unknown): RoomId | undefined {
  if (typeof value !== "string") return undefined;
  if (value.startsWith(DIRECT)) return directUsers(value) ? (value as RoomId) : undefined;
  return ROOM.test(value) ? (value as RoomId) : undefined;
}

/** Parses a user's id. */
export function parseUid(value: unknown): Uid | undefined {
  return typeof value === "string" && UID.test(value) ? (value as Uid) : undefined;
}

/** The conversation of two users; undefined when they are the same one. */
export function directRoom(a: Uid, b: Uid): RoomId | undefined {
  if (a === b) return undefined;
  return (a < b ? `${DIRECT}${a}:${b}` : `${DIRECT}${b}:${a}`) as RoomId;
}

/** The two users of a direct conversation, or undefined for any other string. */
export function directUsers(room: string): readonly [Uid, Uid] | undefined {
  if (!room.startsWith(DIRECT)) return undefined;
  const [first, second, ...rest] = room.slice(DIRECT.length).split(":");
  const a = parseUid(first);
  const b = parseUid(second);
  if (rest.length > 0 || a === undefined || b === undefined || a >= b) return undefined;
  return [a, b];
}

/** How a service appears in a direct conversation's id; the prefix `service|` is reserved, so no user has this id. */
export function serviceConversationUid(serviceName: string): Uid {
  return `${SERVICE_UID_PREFIX}${serviceName}` as Uid;
}

/** Uids that begin with this belong to services: a token's `sub` or a guest may not. */
export const SERVICE_UID_PREFIX = "service|";

/** True for a custom event's frame type, such as `table.result`. The dot keeps it apart from the server's own types. */
export function isCustomType(value: string): boolean {
  return value.length <= CUSTOM_TYPE_MAX && CUSTOM_TYPE.test(value);
}

/** True for a key of a room's snapshot. */
export function isSnapshotKey(value: string): boolean {
  return SNAPSHOT_KEY.test(value);
}

/** True when `pattern`, a literal or a prefix ending in `*`, names the room. */
export function matchesPattern(pattern: string, room: string): boolean {
  return pattern.endsWith("*") ? room.startsWith(pattern.slice(0, -1)) : pattern === room;
}

/** Identity of a stored event's message: the same for every retry, since a retry gets the first one's seq. */
export function messageId(epoch: string, seq: number): string {
  return `${epoch}-${seq}`;
}
