/** What the server sends, as a client that knows only the documented protocol sees it. */

/** A member of a room. */
export interface Member {
  readonly uid: string;
  readonly username: string;
  readonly avatar_id?: string;
  readonly join_time?: string;
}

/** Payload of `welcome`. */
export interface Welcome {
  readonly client_id: string;
  readonly uid: string;
  readonly username: string;
  readonly avatar_id?: string;
  readonly edge_id: string;
  readonly session: string;
  readonly heartbeat_ms: number;
  readonly token_expires_at: string | null;
  readonly epoch: string;
  readonly direct: readonly Conversation[];
  readonly limits: Readonly<Record<string, number>>;
}

/** One of a user's conversations. */
export interface Conversation {
  readonly room_id: string;
  readonly uid: string;
  readonly username: string;
  readonly seq: number;
  readonly sent: string;
}

/** Payload of `conversations`. */
export interface Conversations {
  readonly conversations: readonly Conversation[];
  readonly next_page_token: string;
}

/** Payload of `truncated`. */
export interface Truncated {
  readonly epoch: string;
  readonly seq: number;
  readonly rooms: readonly string[];
  readonly more_rooms: boolean;
}

/** A stored event inside `room_joined` and `history`. */
export interface EventFrame {
  readonly type: string;
  readonly payload: StoredPayload;
}

/** What every stored event's payload has, and what some kinds add. */
export interface StoredPayload {
  readonly room_id: string;
  readonly seq: number;
  readonly prev_seq: number;
  readonly sent: string;
  readonly message?: string;
  readonly deleted_seq?: number;
  readonly data?: unknown;
  readonly snapshot_key?: string;
}

/** Payload of `room_joined`. */
export interface RoomJoined {
  readonly room_id: string;
  readonly epoch: string;
  readonly seq: number;
  readonly count: number;
  readonly members: readonly Member[];
  readonly events: readonly EventFrame[];
  readonly snapshot?: readonly EventFrame[];
  readonly recovered: boolean;
  readonly reason?: string;
  readonly settings?: RoomUpdated;
  readonly moderator?: boolean;
  readonly muted?: boolean;
  readonly muted_until?: string;
}

/** Payload of `new_message`. */
export interface NewMessage extends StoredPayload {
  readonly message_id: string;
  readonly uid: string;
  readonly username: string;
  readonly avatar_id?: string;
  readonly from?: string;
  readonly message: string;
  readonly image_url?: string;
  readonly to_uid?: string;
  readonly client_msg_id?: string;
}

/** Payload of `message_deleted`. */
export interface MessageDeleted extends StoredPayload {
  readonly deleted_seq: number;
  readonly by_uid: string;
}

/** Payload of a custom event. */
export interface CustomEvent extends StoredPayload {
  readonly data: unknown;
}

/** Payload of `ack`. */
export interface Ack {
  readonly room_id?: string;
  readonly message_id: string;
  readonly seq: number;
  readonly sent: string;
  readonly duplicate: boolean;
}

/** Payload of `history`. */
export interface History {
  readonly room_id: string;
  readonly epoch: string;
  readonly events: readonly EventFrame[];
  readonly has_more: boolean;
}

/** Payload of `members`. */
export interface Members {
  readonly room_id: string;
  readonly count: number;
  readonly members: readonly Member[];
  readonly next_page_token: string;
}

/** Payload of `member_joined` and `member_left`. */
export interface MemberChange extends Member {
  readonly room_id: string;
  readonly count: number;
  readonly reason?: string;
}

/** Payload of `members_changed`. */
export interface MembersChanged {
  readonly room_id: string;
  readonly count: number;
  readonly joined: readonly Member[];
  readonly left: readonly Member[];
}

/** Payload of `typing`, as pushed. */
export interface Typing {
  readonly room_id: string;
  readonly uid: string;
  readonly username: string;
}

/** Payload of `room_left`. */
export interface RoomLeft {
  readonly room_id: string;
  readonly reason: string;
  readonly by: string;
}

/** Payload of `member_muted` and `member_unmuted`. */
export interface MemberPolicy {
  readonly room_id: string;
  readonly uid: string;
  readonly by: string;
  readonly until: string | null;
  readonly reason?: string;
}

/** Payload of `room_updated`. */
export interface RoomUpdated {
  readonly room_id: string;
  readonly title: string;
  readonly frozen: boolean;
  readonly slow_mode_ms: number;
  readonly private: boolean;
  readonly capacity: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Payload of `error`. */
export interface ErrorPayload {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly retry_after_ms: number;
  readonly request_type: string;
}

/** Payload of every frame the server may send, by type; a type with a dot is a service's own event. */
export interface Payloads {
  readonly welcome: Welcome;
  readonly room_joined: RoomJoined;
  readonly new_message: NewMessage;
  readonly message_deleted: MessageDeleted;
  readonly ack: Ack;
  readonly history: History;
  readonly members: Members;
  readonly conversations: Conversations;
  readonly truncated: Truncated;
  readonly member_joined: MemberChange;
  readonly member_left: MemberChange;
  readonly members_changed: MembersChanged;
  readonly typing: Typing;
  readonly room_left: RoomLeft;
  readonly member_muted: MemberPolicy;
  readonly member_unmuted: MemberPolicy;
  readonly room_updated: RoomUpdated;
  readonly reset: { readonly room_id: string; readonly epoch: string; readonly seq: number; readonly reason: string };
  readonly reconnect: { readonly delay_ms: number; readonly reason: string };
  readonly notice: { readonly message: string; readonly sent: string };
  readonly pong: { readonly time: string };
  readonly error: ErrorPayload;
  readonly [custom: `${string}.${string}`]: CustomEvent;
}

/** A type of frame the server may send. */
export type FrameType = keyof Payloads & string;

/** A frame of one type. */
export interface FrameOf<T extends FrameType> {
  readonly type: T;
  readonly id?: string;
  readonly payload: Payloads[T];
}

/** Any frame received. */
export type Frame = { [T in FrameType]: FrameOf<T> }[FrameType];

/** The reply to each type of frame a client may send. */
export interface Replies {
  readonly login: "welcome";
  readonly join_room: "room_joined";
  readonly change_room: "room_joined";
  readonly leave_room: "ack";
  readonly send_message: "ack";
  readonly delete_message: "ack";
  readonly get_history: "history";
  readonly get_members: "members";
  readonly get_conversations: "conversations";
  readonly block_user: "ack";
  readonly unblock_user: "ack";
  readonly typing: "ack";
  readonly kick_member: "ack";
  readonly ban_member: "ack";
  readonly unban_member: "ack";
  readonly mute_member: "ack";
  readonly unmute_member: "ack";
  readonly update_room: "ack";
  readonly ping: "pong";
}

/** A type of frame a client may send. */
export type RequestType = keyof Replies;

/** Narrows a frame to one type. */
export function isFrame<T extends FrameType>(frame: Frame, type: T): frame is Frame & FrameOf<T> {
  return frame.type === type;
}
