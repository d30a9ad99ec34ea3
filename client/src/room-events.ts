import type {
  CustomEvent,
  Member,
  Message,
  MessageDeleted,
  MuteChange,
  Presence,
  RoomEvent,
  RoomSettings,
} from "./types.ts";

/** What a room tells. `event` is every stored event in order; the three after it are the same by kind. */
export interface RoomEvents {
  event: RoomEvent;
  message: Message;
  deleted: MessageDeleted;
  custom: CustomEvent;
  presence: Presence;
  typing: Member;
  /** The room's settings changed, perhaps while the client was away. */
  updated: RoomSettings;
  /** A user was muted, or may write again. */
  muted: MuteChange;
  /** After a reconnect: everything missed was delivered, `count` events. */
  recovered: { readonly count: number };
  /** Continuity was lost: forget what is shown, `events` are the latest. `reason` as the server gave it. */
  reset: { readonly reason: string; readonly events: readonly RoomEvent[] };
  /** The room is gone for this client: kicked, banned, room_deleted, or the error that refused to let it back in. */
  left: { readonly reason: string; readonly by: string };
}
