import { RoomError } from "../errors.ts";

/**
 * Where a page starts, as an opaque token bound to the other arguments of the list: a token of another list, or of the
 * same list with another filter, is refused instead of giving a page that was not asked for (AIP-158).
 * @param scope everything of the request but page_size and page_token.
 */
export function encodePageToken(scope: readonly string[], position: string): string {
  return Buffer.from(JSON.stringify([...scope, position])).toString("base64url");
}

/** The position inside a token, undefined for the empty token of the first page. @throws RoomError invalid_argument. */
export function decodePageToken(scope: readonly string[], token: string): string | undefined {
  if (token === "") return undefined;
  const parts = token.length <= MAX_TOKEN ? parse(token) : undefined;
  if (!Array.isArray(parts) || parts.length !== scope.length + 1) throw invalid();
  if (scope.some((part, index) => parts[index] !== part)) throw invalid();
  const position: unknown = parts[scope.length];
  if (typeof position !== "string") throw invalid();
  return position;
}

/**
 * A position that is a number. A token says nothing of who made it, so what is in it is not trusted.
 * @throws RoomError invalid_argument.
 */
export function pageNumber(position: string): number {
  const number = Number(position);
  if (/^\d+$/.test(position) && Number.isSafeInteger(number)) return number;
  throw invalid();
}

/**
 * Size of a page: `fallback` for 0, `max` for more than that (AIP-158).
 * @throws RoomError invalid_argument when negative.
 */
export function pageSize(asked: number, fallback: number, max: number): number {
  if (asked < 0) throw new RoomError("invalid_argument", "page_size is negative", { metadata: { field: "page_size" } });
  return asked === 0 ? fallback : Math.min(asked, max);
}

/** A page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Where the next page starts; empty at the end. */
  readonly nextPageToken: string;
}

/** Cuts a page off an ordered walk; the next one starts at the first key left out, wherever keys came or went by then. */
export function cutPage<T>(walk: Iterable<readonly [string, T]>, size: number, scope: readonly string[]): Page<T> {
  const items: T[] = [];
  for (const [key, item] of walk) {
    if (items.length === size) return { items, nextPageToken: encodePageToken(scope, key) };
    items.push(item);
  }
  return { items, nextPageToken: "" };
}

/** The longest scope holds a few ids of at most 136 characters. */
const MAX_TOKEN = 2_048;

function parse(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
  } catch (error) {
    throw invalid(error);
  }
}

function invalid(cause?: unknown): RoomError {
  return new RoomError("invalid_argument", "page_token is not one of this list", {
    metadata: { field: "page_token" },
    cause,
  });
}
