import type { CustomEvent, ErrorCode, Member, Message, MessageDeleted, RoomEvent, RoomSettings } from "./types.ts";
import { RoomClientError } from "./types.ts";

/** A frame, both ways. */
export interface Frame {
  readonly type: string;
  readonly id?: string;
  readonly payload: Record<string, unknown>;
}

/** What the server says with `room_joined`. */
export interface RoomJoined {
  readonly roomId: string;
  readonly epoch: string;
  readonly seq: number;
  readonly count: number;
  readonly members: readonly Member[];
  readonly events: readonly Frame[];
  /** Absent when empty. */
  readonly snapshot?: readonly Frame[];
  readonly recovered: boolean;
  readonly reason?: string;
  /** Absent when they are the defaults. */
  readonly settings?: RoomSettings;
  readonly moderator?: boolean;
  readonly muted?: boolean;
  /** Absent when until it is lifted. */
  readonly mutedUntil?: string;
}

/** Reads a frame; undefined for what is none, which a newer server may send one day. */
export function readFrame(data: unknown): Frame | undefined {
  if (typeof data !== "string") return undefined;
  try {
    const frame: unknown = JSON.parse(data);
    if (typeof frame !== "object" || frame === null || !("type" in frame) || typeof frame.type !== "string")
      return undefined;
    const payload =
      "payload" in frame && typeof frame.payload === "object" && frame.payload !== null ? frame.payload : {};
    const id = "id" in frame && typeof frame.id === "string" ? { id: frame.id } : {};
    return { type: frame.type, ...id, payload: payload as Record<string, unknown> };
  } catch {
    return undefined;
  }
}

/** snake_case payload → camelCase object. `data` and `metadata` are a service's own and stay as they are. */
export function camel<T>(value: unknown): T {
  if (Array.isArray(value)) return value.map((item) => camel(item)) as T;
  if (typeof value !== "object" || value === null) return value as T;
  const result: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    const name = key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    result[name] = AS_IT_IS.has(key) ? item : camel(item);
  }
  return result as T;
}

const AS_IT_IS: ReadonlySet<string> = new Set(["data", "metadata", "events", "snapshot"]);

/** A stored event's frame; undefined for every other frame. Custom types are those with a dot. */
export function readEvent(
  frame: Frame,
): (RoomEvent & { readonly roomId: string; readonly prevSeq: number }) | undefined {
  const { type, payload } = frame;
  if (type !== "new_message" && type !== "message_deleted" && !type.includes(".")) return undefined;
  const { prevSeq, ...event } = camel<{ roomId: string; seq: number; prevSeq: number }>(payload);
  const place = { seq: event.seq, prevSeq, roomId: event.roomId };
  if (type === "new_message") return { kind: "message", message: event as unknown as Message, ...place };
  if (type === "message_deleted") return { kind: "deleted", deletion: event as unknown as MessageDeleted, ...place };
  return { kind: "custom", event: { type, ...event } as unknown as CustomEvent, ...place };
}

/** The error an `error` frame means. */
export function readError(frame: Frame): RoomClientError {
  const { code, message, retryable, retry_after_ms: after } = frame.payload;
  return new RoomClientError(code as ErrorCode, String(message), retryable === true, Number(after) || 0);
}

/** 96 random bits: an id no other client chooses, by which the server knows a retry. React Native has no `crypto` of its own. */
export function randomId(): string {
  const bytes = new Uint8Array(12);
  if (globalThis.crypto) globalThis.crypto.getRandomValues(bytes);
  else for (const index of bytes.keys()) bytes[index] = Math.floor(Math.random() * 256);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
