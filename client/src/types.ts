/**
 * What the client hands to the application. The names are those of the protocol's payloads (docs/protocol.md) in camelCase;
 * a type test holds these types equal to the generated ones, so the package needs no dependency for them.
 */

/** A place in the server's log. Positions of another epoch mean nothing. */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

/** A stored message. */
export interface Message {
  readonly roomId: string;
  /** Unique in the cluster; the same for every retry of one send. */
  readonly messageId: string;
  /** Position in the room: strictly increasing, not dense. */
  readonly seq: number;
  readonly uid: string;
  readonly username: string;
  readonly avatarId?: string;
  /** Display name the sender gave for this message. */
  readonly from?: string;
  readonly message: string;
  /** https URL of a picture. Load it only when the user asks: it shows the reader's address to whoever serves it. */
  readonly imageUrl?: string;
  /** Recipient, for a direct message. */
  readonly toUid?: string;
  /** When the server accepted it, RFC 3339. */
  readonly sent: string;
  /** The id the sender's client chose: matches one's own optimistic copy. */
  readonly clientMsgId?: string;
}

/** An earlier message was deleted; drop it from what is shown. */
export interface MessageDeleted {
  readonly roomId: string;
  readonly seq: number;
  readonly sent: string;
  readonly deletedSeq: number;
  readonly byUid: string;
}

/** An event of a service's own type, such as `table.result`. */
export interface CustomEvent {
  readonly type: string;
  readonly roomId: string;
  readonly seq: number;
  readonly sent: string;
  /** The service's JSON, as it sent it. */
  readonly data: unknown;
  /** Key of the room's snapshot that this event sets, or clears when `data` is null. */
  readonly snapshotKey?: string;
}

/** A stored event of a room, oldest first wherever several come together. */
export type RoomEvent =
  | { readonly kind: "message"; readonly seq: number; readonly message: Message }
  | { readonly kind: "deleted"; readonly seq: number; readonly deletion: MessageDeleted }
  | { readonly kind: "custom"; readonly seq: number; readonly event: CustomEvent };

/** A user in a room. */
export interface Member {
  readonly uid: string;
  readonly username: string;
  readonly avatarId?: string;
}

/** Who is in a room changed. Rooms of over 100 members report counts and samples, at most once a second. */
export interface Presence {
  readonly count: number;
  readonly joined: readonly Member[];
  readonly left: readonly Member[];
  /** Why, for a single leave: left, disconnected, kicked, … */
  readonly reason?: string;
}

/** A room's settings, as of a change. */
export interface RoomSettings {
  readonly roomId: string;
  readonly title: string;
  /** Only moderators and services may publish. */
  readonly frozen: boolean;
  /** Least time between two messages of one user, in milliseconds; 0 is off. */
  readonly slowModeMs: number;
  /** Joinable only by a token's pattern, a role or an invitation. */
  readonly private: boolean;
  /** Most members at a time; 0: as many as the server allows. */
  readonly capacity: number;
  /** The owner's own data. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** A user may not write in a room any more, or may again. The end of a mute that ends by itself is not told. */
export interface MuteChange {
  readonly uid: string;
  readonly muted: boolean;
  /** Who decided; empty when the client was away then. */
  readonly by: string;
  /** When it ends by itself, RFC 3339; null: when it is lifted. */
  readonly until: string | null;
  readonly reason?: string;
}

/** Why a moderator does something, for the audit log and for those who hear of it; at most 256 characters. */
export interface ModerationOptions {
  readonly reason?: string;
}

/** The same for what may end by itself. */
export interface TimedModerationOptions extends ModerationOptions {
  /** When it ends, in milliseconds from now. Default: when it is lifted. */
  readonly durationMs?: number;
}

/** One user's exchange with another. */
export interface ConversationSummary {
  readonly roomId: string;
  /** The other user. */
  readonly uid: string;
  readonly username: string;
  readonly seq: number;
  readonly sent: string;
}

/** Who this client is. */
export interface Self {
  readonly clientId: string;
  readonly uid: string;
  readonly username: string;
  readonly avatarId?: string;
  readonly edgeId: string;
}

/** A page of history. */
export interface HistoryPage {
  readonly events: readonly RoomEvent[];
  readonly hasMore: boolean;
}

/** A page of members. */
export interface MembersPage {
  readonly count: number;
  readonly members: readonly Member[];
  /** Give it to the next call; empty at the end. */
  readonly nextPageToken: string;
}

/** What the connection is doing. */
export type ConnectionState =
  | { readonly name: "connecting" }
  | { readonly name: "live" }
  /** Waiting for the next try, at `retryAt` (ms since the epoch). */
  | {
      readonly name: "reconnecting";
      readonly attempt: number;
      readonly retryAt: number;
      readonly code: number;
      readonly reason: string;
    }
  /** Over: closed by the application, or by the server with a code that says not to come back. */
  | { readonly name: "closed"; readonly code: number; readonly reason: string };

/** The protocol's error codes, and `closed`, `timeout` and `queue_full` of this client's own. */
export type ErrorCode =
  | "bad_frame"
  | "unknown_type"
  | "invalid_argument"
  | "message_too_large"
  | "unauthenticated"
  | "permission_denied"
  | "room_not_found"
  | "not_a_member"
  | "room_full"
  | "too_many_rooms"
  | "banned"
  | "muted"
  | "rate_limited"
  | "unavailable"
  | "internal"
  | "closed"
  | "timeout"
  | "queue_full";

/** A refusal by the server, or by this client. */
export class RoomClientError extends Error {
  readonly code: ErrorCode;
  /** True when the same call may succeed later. */
  readonly retryable: boolean;
  /** Least time to wait before a retry, in milliseconds; 0 when not known. */
  readonly retryAfterMs: number;

  constructor(code: ErrorCode, message: string, retryable = false, retryAfterMs = 0) {
    super(message);
    this.name = "RoomClientError";
    this.code = code;
    this.retryable = retryable;
    this.retryAfterMs = retryAfterMs;
  }
}
