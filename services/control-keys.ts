import { decodeToken, encodeToken } from "../broker/subjects.ts";
import { parseRoomId, parseUid, type RoomId, type Uid } from "./ids.ts";

/**
 * Names of the control log's keys: a kind, then ids encoded as tokens, joined by dots. What is stored under each is a
 * message of control.proto. Built and parsed here only.
 */
export const controlKeys = {
  /** RoomRecord: a room's settings. */
  room: (room: RoomId): string => `room.${encodeToken(room)}`,
  /** MemberEntry: this connection of this user is in this room. */
  entry: (room: RoomId, uid: Uid, incarnation: string, clientId: string): string =>
    `entry.${encodeToken(room)}.${encodeToken(uid)}.${encodeToken(incarnation)}.${encodeToken(clientId)}`,
  /** ClientEntry: this connection exists. */
  client: (incarnation: string, clientId: string): string =>
    `client.${encodeToken(incarnation)}.${encodeToken(clientId)}`,
  /** EdgeLease: this run of an edge is alive; written by the edge itself. */
  lease: (incarnation: string): string => `lease.${encodeToken(incarnation)}`,
  /** EdgeFence: this run of an edge was given up. */
  fence: (incarnation: string): string => `fence.${encodeToken(incarnation)}`,
  /** UserRecord: this user has existed. */
  user: (uid: Uid): string => `user.${encodeToken(uid)}`,
  /** NoticeRecord: the latest words to everyone. */
  notice: "notice",
  /** No message: who wrote it last holds the one stream by which this run of an edge is attached. */
  attachment: (incarnation: string): string => `attachment.${encodeToken(incarnation)}`,
  /** 32 random bytes, create-only, by which edges sign guests' sessions. */
  sessionSecret: "secret.session",
} as const;

/** A key of the control log, taken apart. */
export type ControlKey =
  | { readonly kind: "room"; readonly room: RoomId }
  | {
      readonly kind: "entry";
      readonly room: RoomId;
      readonly uid: Uid;
      readonly incarnation: string;
      readonly clientId: string;
    }
  | { readonly kind: "client"; readonly incarnation: string; readonly clientId: string }
  | { readonly kind: "lease" | "fence" | "attachment"; readonly incarnation: string }
  | { readonly kind: "user"; readonly uid: Uid }
  | { readonly kind: "notice" };

/** Takes a key apart; undefined for secrets and for kinds that this version does not know. */
export function parseControlKey(key: string): ControlKey | undefined {
  const [kind, ...tokens] = key.split(".");
  const [first = "", second = "", third = "", fourth = ""] = tokens.map(decodeToken);
  if (tokens.length !== TOKENS.get(kind ?? "")) return undefined;
  switch (kind) {
    case "room": {
      const room = parseRoomId(first);
      return room === undefined ? undefined : { kind, room };
    }
    case "entry": {
      const room = parseRoomId(first);
      const uid = parseUid(second);
      if (room === undefined || uid === undefined) return undefined;
      return { kind, room, uid, incarnation: third, clientId: fourth };
    }
    case "client":
      return { kind, incarnation: first, clientId: second };
    case "lease":
    case "fence":
    case "attachment":
      return { kind, incarnation: first };
    case "user": {
      const uid = parseUid(first);
      return uid === undefined ? undefined : { kind, uid };
    }
    case "notice":
      return { kind };
    default:
      return undefined;
  }
}

/** How many tokens follow each kind. */
const TOKENS: ReadonlyMap<string, number> = new Map([
  ["room", 1],
  ["entry", 4],
  ["client", 2],
  ["lease", 1],
  ["fence", 1],
  ["attachment", 1],
  ["user", 1],
  ["notice", 0],
]);
