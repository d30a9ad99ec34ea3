/** Types of the frames that the server sends, but for services' own events. docs/protocol.md has an example of each. */
export const SERVER_FRAME_TYPES = [
  "welcome",
  "room_joined",
  "ack",
  "history",
  "members",
  "conversations",
  "pong",
  "error",
  "new_message",
  "message_deleted",
  "member_joined",
  "member_left",
  "members_changed",
  "member_muted",
  "member_unmuted",
  "room_updated",
  "room_left",
  "typing",
  "truncated",
  "reset",
  "reconnect",
  "notice",
] as const;

/** A type of frame that the server sends; one with a dot is a service's own event. */
export type ServerFrameType = (typeof SERVER_FRAME_TYPES)[number] | `${string}.${string}`;
