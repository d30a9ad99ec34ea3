import { type ErrorCode, RoomClientError } from "../../client/src/types.ts";

/** What the page says when a connection has ended for good. */
export interface Ending {
  readonly title: string;
  readonly text: string;
  /** What the user can do: come back as who they are, as somebody new, or with a token. */
  readonly way: "again" | "new-guest" | "token";
}

/** Words for the close codes that mean stop. */
export function describeEnding(code: number, reason: string): Ending {
  const known = ENDINGS.get(code);
  return (
    known ?? { title: "Disconnected", text: reason || `The server closed the connection (${code}).`, way: "again" }
  );
}

const ENDINGS: ReadonlyMap<number, Ending> = new Map([
  [4500, { title: "Disconnected", text: "The server did not understand this page. Reload it.", way: "again" }],
  [4501, { title: "Log in", text: "This server wants a token.", way: "token" }],
  [4503, { title: "Disconnected by an administrator", text: "You can come back as a new guest.", way: "new-guest" }],
  [4504, { title: "Open in another tab", text: "The same guest connected somewhere else.", way: "again" }],
  [4505, { title: "Too many connections", text: "Close some other tabs, then connect again.", way: "again" }],
]);

/** Why something was refused, in words; the server's own words where the code says too little. */
export function describeError(code: ErrorCode, message: string): string {
  return ERRORS[code] ?? sentence(message);
}

/** Why something failed, in words. */
export function describeFailure(error: unknown): string {
  if (error instanceof RoomClientError) return describeError(error.code, error.message);
  return error instanceof Error ? error.message : String(error);
}

/** The server says things in lower case and without a full stop. */
function sentence(words: string): string {
  const begun = words.charAt(0).toLocaleUpperCase() + words.slice(1);
  return /[.!?]$/.test(begun) || begun === "" ? begun : `${begun}.`;
}

const ERRORS: Partial<Record<ErrorCode, string>> = {
  banned: "You are banned here.",
  muted: "You are muted here.",
  closed: "The connection was closed.",
  message_too_large: "The message is too long.",
  not_a_member: "You are not in this room.",
  queue_full: "Too many messages are waiting.",
  room_full: "The room is full.",
  room_not_found: "There is no such room.",
  timeout: "No answer in time. It may or may not have arrived.",
  too_many_rooms: "You are in too many rooms. Leave one first.",
};

/** Why a room is gone, in words. Reasons are codes of the server's, or what a moderator wrote. */
export function describeLeft(reason: string): string {
  return LEFT.get(reason) ?? `You were removed: ${reason}`;
}

const LEFT: ReadonlyMap<string, string> = new Map([
  ["", "You were removed from this room."],
  ["kicked", "You were removed from this room."],
  ["banned", "You were banned from this room."],
  ["room_deleted", "This room was deleted."],
  ["room_not_found", "This room does not exist any more."],
  ["room_full", "The room is full now."],
  ["permission_denied", "You may not be in this room any more."],
]);

/** Why history was loaded anew, in words. */
export function describeReset(reason: string): string {
  return RESETS.get(reason) ?? "Continuity was lost; these are the latest messages.";
}

const RESETS: ReadonlyMap<string, string> = new Map([
  ["too_many", "Too much was missed to list; these are the latest messages."],
  ["too_old", "You were away for too long to list what was missed; these are the latest messages."],
  ["epoch_changed", "The server's log was started anew; these are its latest messages."],
]);
