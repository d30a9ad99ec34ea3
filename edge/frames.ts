import type { HistoryRange } from "../broker/broker.ts";
import { RoomError } from "../services/errors.ts";
import type { RoomId, Uid } from "../services/ids.ts";
import { characters, FIXED } from "../services/limits.ts";
import { isJsonObject, PayloadReader, type Position } from "./frame-fields.ts";
import { MODERATION_TYPES, type ModerateFrame, parseModeration } from "./moderation-frames.ts";

export type { Position } from "./frame-fields.ts";

/** Asks who the client is, or refreshes its token. */
export interface LoginFrame extends Framed<"login"> {
  /** Empty for none; never together with `session`. */
  readonly token: string;
  /** Empty for none. */
  readonly session: string;
  readonly directSince: Position | undefined;
}

/** Asks for membership; change_room also leaves the current room. */
export interface JoinFrame extends Framed<"join_room" | "change_room"> {
  readonly room: RoomId;
  /** Recover everything after this. */
  readonly since: Position | undefined;
  /** Latest events wanted when not recovering, 0–300. */
  readonly history: number;
}

/** Ends a membership. */
export interface LeaveFrame extends Framed<"leave_room"> {
  readonly room: RoomId;
}

/** Says something. What its texts may hold is the Publisher's to check, for frames and RPCs alike. */
export interface SendFrame extends Framed<"send_message"> {
  /** Undefined: the current room. Never together with `toUid`. */
  readonly room: RoomId | undefined;
  readonly toUid: Uid | undefined;
  readonly message: string;
  /** Empty for none, as the two below. */
  readonly imageUrl: string;
  readonly from: string;
  readonly clientMsgId: string;
}

/** Deletes a message. */
export interface DeleteFrame extends Framed<"delete_message"> {
  readonly room: RoomId;
  readonly seq: number;
}

/** Reads a page of a room's log. */
export interface HistoryFrame extends Framed<"get_history"> {
  readonly room: RoomId;
  /** As the broker takes it. An after_seq of 0 reads from the beginning, a before_seq of 0 from the end. */
  readonly range: HistoryRange;
}

/** Reads a page of a room's members. */
export interface MembersFrame extends Framed<"get_members"> {
  readonly room: RoomId;
  readonly pageSize: number;
  /** Empty for the first page. */
  readonly pageToken: string;
}

/** Reads a page of the user's conversations. */
export interface ConversationsFrame extends Framed<"get_conversations"> {
  readonly pageSize: number;
  /** Empty for the first page. */
  readonly pageToken: string;
}

/** Stops a user's direct messages, or lets them through again. */
export interface BlockFrame extends Framed<"block_user" | "unblock_user"> {
  readonly uid: Uid;
}

/** Says that the user is writing. */
export interface TypingFrame extends Framed<"typing"> {
  readonly room: RoomId;
}

/** Asks for a pong. */
export interface PingFrame extends Framed<"ping"> {}

/** A frame that can be carried out; `type` tells which. */
export type ParsedFrame =
  | LoginFrame
  | JoinFrame
  | LeaveFrame
  | SendFrame
  | DeleteFrame
  | HistoryFrame
  | MembersFrame
  | ConversationsFrame
  | BlockFrame
  | TypingFrame
  | ModerateFrame
  | PingFrame;

/** A frame that cannot: what to answer, and to whom. */
export interface FrameError extends Framed<"error"> {
  /** bad_frame, unknown_type or invalid_argument. */
  readonly error: RoomError;
  /** Type of the frame, empty when it could not be read. */
  readonly requestType: string;
}

/** What every frame has. */
export interface Framed<Type extends string> {
  readonly type: Type;
  /** The frame's id, to be echoed by its one reply; undefined when it has none, or none that can be read. */
  readonly id: string | undefined;
}

/**
 * Reads one text frame: `{"type", "id"?, "payload"?}` by the grammar of the protocol. Never throws: whatever is wrong
 * comes back as a FrameError. Unknown fields are ignored, at the top and in the payload.
 */
export function parseFrame(text: string): ParsedFrame | FrameError {
  const frame = parseObject(text);
  if (frame === undefined) return failure(new RoomError("bad_frame", "a frame is a JSON object"), undefined, "");
  const type = label(frame.type);
  const id = label(frame.id);
  const problem = envelopeProblem(frame, type, id);
  if (type === undefined || problem !== undefined) return failure(new RoomError("bad_frame", problem ?? ""), id, type);
  const parse = PARSERS.get(type);
  if (parse === undefined) return failure(new RoomError("unknown_type", "no such frame type"), id, type);
  try {
    return parse(id, new PayloadReader(frame.payload ?? {}));
  } catch (error) {
    if (error instanceof RoomError) return failure(error, id, type);
    throw error;
  }
}

interface Envelope {
  readonly type?: unknown;
  readonly id?: unknown;
  readonly payload?: object;
}

function parseObject(text: string): Envelope | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined; // JSON.parse throws nothing but "this is not JSON"
  }
}

function envelopeProblem(frame: Envelope, type: string | undefined, id: string | undefined): string | undefined {
  if (type === undefined) return `type must be a string of 1 to ${FIXED.nameChars} characters`;
  if (id === undefined && frame.id !== undefined) return `id must be a string of 1 to ${FIXED.nameChars} characters`;
  if (frame.payload !== undefined && !isJsonObject(frame.payload)) return "payload must be an object";
  if (isTooDeep(frame)) return `a frame is nested at most ${FIXED.frameDepth} deep`;
  return undefined;
}

function label(value: unknown): string | undefined {
  if (typeof value !== "string" || value === "" || !value.isWellFormed()) return undefined;
  return characters(value) <= FIXED.nameChars ? value : undefined;
}

/** Level by level, not by recursion: what nests deep enough to overflow the stack is just what must be refused here. */
function isTooDeep(frame: object): boolean {
  let level: object[] = [frame];
  for (let depth = 1; depth <= FIXED.frameDepth; depth++) {
    const next: object[] = [];
    for (const container of level) {
      for (const value of Object.values(container)) if (isContainer(value)) next.push(value);
    }
    if (next.length === 0) return false;
    level = next;
  }
  return true;
}

const isContainer = (value: unknown): value is object => typeof value === "object" && value !== null;

function failure(error: RoomError, id: string | undefined, requestType: string | undefined): FrameError {
  return { type: "error", id, error, requestType: requestType ?? "" };
}

type Parse = (id: string | undefined, payload: PayloadReader) => ParsedFrame;

// A Map, since a plain object would find `constructor` among its types.
const PARSERS: ReadonlyMap<string, Parse> = new Map<ParsedFrame["type"], Parse>([
  ["login", parseLogin],
  ["join_room", (id, payload) => parseJoin("join_room", id, payload)],
  ["change_room", (id, payload) => parseJoin("change_room", id, payload)],
  ["leave_room", (id, payload) => ({ type: "leave_room", id, room: payload.room("room_id") })],
  ["send_message", parseSend],
  ["delete_message", parseDelete],
  ["get_history", parseHistory],
  ["get_members", parseMembers],
  ["get_conversations", parseConversations],
  ["block_user", (id, payload) => ({ type: "block_user", id, uid: payload.uid("uid") })],
  ["unblock_user", (id, payload) => ({ type: "unblock_user", id, uid: payload.uid("uid") })],
  ["typing", (id, payload) => ({ type: "typing", id, room: payload.room("room_id") })],
  ["ping", (id) => ({ type: "ping", id })],
  ...MODERATION_TYPES.map((type): [ParsedFrame["type"], Parse] => [
    type,
    (id, payload) => parseModeration(type, id, payload),
  ]),
]);

/** Types of the frames that clients send. docs/protocol.md has an example of each. */
export const CLIENT_FRAME_TYPES: readonly string[] = [...PARSERS.keys()];

function parseLogin(id: string | undefined, payload: PayloadReader): LoginFrame {
  const token = payload.text("token");
  const session = payload.text("session");
  if (token !== "" && session !== "") throw payload.conflict("token", "session");
  return { type: "login", id, token, session, directSince: payload.position("direct_since") };
}

function parseJoin(type: JoinFrame["type"], id: string | undefined, payload: PayloadReader): JoinFrame {
  return {
    type,
    id,
    room: payload.room("room_id"),
    since: payload.position("since"),
    history: payload.integer("history", 0, FIXED.historyEvents) ?? 0,
  };
}

function parseSend(id: string | undefined, payload: PayloadReader): SendFrame {
  const room = payload.optionalRoom("room_id");
  const toUid = payload.optionalUid("to_uid");
  if (room !== undefined && toUid !== undefined) throw payload.conflict("room_id", "to_uid");
  return {
    type: "send_message",
    id,
    room,
    toUid,
    message: payload.text("message"),
    imageUrl: payload.text("image_url"),
    from: payload.text("from"),
    clientMsgId: payload.text("client_msg_id"),
  };
}

function parseDelete(id: string | undefined, payload: PayloadReader): DeleteFrame {
  const room = payload.room("room_id");
  const seq = payload.seq("seq", 1);
  if (seq === undefined) throw payload.missing("seq");
  return { type: "delete_message", id, room, seq };
}

function parseHistory(id: string | undefined, payload: PayloadReader): HistoryFrame {
  const room = payload.room("room_id");
  const limit = payload.integer("limit", 1, FIXED.historyEvents) ?? FIXED.historyDefault;
  const before = payload.seq("before_seq");
  const after = payload.seq("after_seq");
  if (before !== undefined && after !== undefined) throw payload.conflict("before_seq", "after_seq");
  if (after !== undefined) return { type: "get_history", id, room, range: { limit, after } };
  return { type: "get_history", id, room, range: before ? { limit, before } : { limit } };
}

function parseMembers(id: string | undefined, payload: PayloadReader): MembersFrame {
  return {
    type: "get_members",
    id,
    room: payload.room("room_id"),
    pageSize: payload.integer("page_size", 1, FIXED.pageSize) ?? FIXED.pageDefault,
    pageToken: payload.text("page_token", PAGE_TOKEN_CHARS),
  };
}

function parseConversations(id: string | undefined, payload: PayloadReader): ConversationsFrame {
  return {
    type: "get_conversations",
    id,
    pageSize: payload.integer("page_size", 1, FIXED.pageSize) ?? FIXED.conversationsShown,
    pageToken: payload.text("page_token", PAGE_TOKEN_CHARS),
  };
}

/** Longer than any page token RoomService makes; what is longer is not worth a question. */
const PAGE_TOKEN_CHARS = 1_024;
