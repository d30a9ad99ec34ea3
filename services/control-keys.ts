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
  /** EdgeTraffic of admin_service.proto: what this run of an edge did lately; written by the edge itself. */
  traffic: (incarnation: string): string => `traffic.${encodeToken(incarnation)}`,
  /** EdgeFence: this run of an edge was given up. */
  fence: (incarnation: string): string => `fence.${encodeToken(incarnation)}`,
  /** EdgeDrain: the clients of this run of an edge are sent elsewhere. */
  drain: (incarnation: string): string => `drain.${encodeToken(incarnation)}`,
  /** UserRecord: this user has existed. */
  user: (uid: Uid): string => `user.${encodeToken(uid)}`,
  /** BanRecord: this user may not be in this room. */
  ban: (room: RoomId, uid: Uid): string => `ban.${encodeToken(room)}.${encodeToken(uid)}`,
  /** MuteRecord: this user may not write in this room. */
  mute: (room: RoomId, uid: Uid): string => `mute.${encodeToken(room)}.${encodeToken(uid)}`,
  /** InvitationRecord: this user may enter this room. */
  invite: (room: RoomId, uid: Uid): string => `invite.${encodeToken(room)}.${encodeToken(uid)}`,
  /** SnapshotRecord: the latest event of this key of this room's snapshot. */
  snapshot: (room: RoomId, key: string): string => `snapshot.${encodeToken(room)}.${encodeToken(key)}`,
  /** SnapshotCheckpoint: up to where of the log that is so. */
  snapshotCheckpoint: "checkpoint.snapshots",
  /** AuditRecord: something a moderator or an operator did. */
  audit: (id: string): string => `audit.${encodeToken(id)}`,
  /** CursorRecord: up to where this user was given direct messages; written by edges. */
  cursor: (uid: Uid): string => `cursor.${encodeToken(uid)}`,
  /** BlockRecord: this user takes no direct messages of the other. */
  block: (uid: Uid, other: Uid): string => `block.${encodeToken(uid)}.${encodeToken(other)}`,
  /** RevocationRecord: this user's tokens are no good. */
  revokedUser: (uid: Uid): string => `revoked.user.${encodeToken(uid)}`,
  /** RevocationRecord: the token of this id is no good. */
  revokedToken: (tokenId: string): string => `revoked.token.${encodeToken(tokenId)}`,
  /** NoticeRecord: the latest words to everyone. */
  notice: "notice",
  /** No message: who wrote it last holds the one stream by which this run of an edge is attached. */
  attachment: (incarnation: string): string => `attachment.${encodeToken(incarnation)}`,
  /** 32 random bytes, create-only, by which edges sign guests' sessions. */
  sessionSecret: "secret.session",
} as const;

/** Whose tokens, or which one, a revocation is about. */
export type RevokedKey = { readonly uid: Uid } | { readonly tokenId: string };

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
  | { readonly kind: "lease" | "traffic" | "fence" | "drain" | "attachment"; readonly incarnation: string }
  | { readonly kind: "user" | "cursor"; readonly uid: Uid }
  | { readonly kind: "block"; readonly uid: Uid; readonly other: Uid }
  | { readonly kind: "ban" | "mute" | "invite"; readonly room: RoomId; readonly uid: Uid }
  | { readonly kind: "snapshot"; readonly room: RoomId; readonly key: string }
  | { readonly kind: "audit"; readonly id: string }
  | { readonly kind: "revoked"; readonly subject: RevokedKey }
  | { readonly kind: "notice" };

/** Takes a key apart; undefined for secrets, checkpoints and for kinds that this version does not know. */
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
    case "traffic":
    case "fence":
    case "drain":
    case "attachment":
      return { kind, incarnation: first };
    case "user":
    case "cursor": {
      const uid = parseUid(first);
      return uid === undefined ? undefined : { kind, uid };
    }
    case "block": {
      const uid = parseUid(first);
      const other = parseUid(second);
      return uid === undefined || other === undefined ? undefined : { kind, uid, other };
    }
    case "ban":
    case "mute":
    case "invite": {
      const room = parseRoomId(first);
      const uid = parseUid(second);
      return room === undefined || uid === undefined ? undefined : { kind, room, uid };
    }
    case "snapshot": {
      const room = parseRoomId(first);
      return room === undefined ? undefined : { kind, room, key: second };
    }
    case "audit":
      return { kind, id: first };
    case "revoked": {
      if (first === "token") return { kind, subject: { tokenId: second } };
      const uid = first === "user" ? parseUid(second) : undefined;
      return uid === undefined ? undefined : { kind, subject: { uid } };
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
  ["traffic", 1],
  ["fence", 1],
  ["drain", 1],
  ["attachment", 1],
  ["user", 1],
  ["cursor", 1],
  ["block", 2],
  ["ban", 2],
  ["mute", 2],
  ["invite", 2],
  ["snapshot", 2],
  ["audit", 1],
  ["revoked", 2],
  ["notice", 0],
]);
