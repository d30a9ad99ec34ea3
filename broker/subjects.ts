import type { RoomId, Uid } from "../services/ids.ts";

/**
 * The one place where ids become parts of subjects and keys. A token holds `[A-Za-z0-9_-]` and `=XX` escapes only, which
 * is valid in a NATS subject and in a KV key alike (NATS ADR-6, ADR-8): no wildcard, separator, space or control
 * character of an id gets through, and two ids never share a token.
 */
const PLAIN = /[^A-Za-z0-9_-]/g;

/** Encodes an id as one token. Ids are ASCII by their grammar, so every escape is two hex digits. */
export function encodeToken(id: RoomId | Uid | string): string {
  return id.replace(PLAIN, (character) => `=${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
}

/** Inverse of encodeToken. */
export function decodeToken(token: string): string {
  return token.replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
