import type { RoomId, Uid } from "../services/ids.ts";

/**
 * The one place where ids become parts of subjects and keys. A token holds `[A-Za-z0-9_-]` and `=XX` escapes only, which
 * is valid in a NATS subject and in a KV key alike (NATS ADR-6, ADR-8): no wildcard, separator, space or control
 * character of an id gets through, and two ids never share a token.
 */
const SPECIAL = /[^A-Za-z0-9_-]/;
const ALL_SPECIAL = new RegExp(SPECIAL, "g");

/** Encodes an id as one token. Ids are ASCII by their grammar, so every escape is two hex digits. */
export function encodeToken(id: RoomId | Uid | string): string {
  if (!SPECIAL.test(id)) return id;
  return id.replace(
    ALL_SPECIAL,
    (character) => `=${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}

/** Inverse of encodeToken. */
export function decodeToken(token: string): string {
  if (!token.includes("=")) return token;
  return token.replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** Longest token: a direct conversation of two uids of 64 characters, every one of them escaped, is 408. */
const TOKEN_MAX = 420;
/** Tokens joined by dots, as control keys are. */
const KEY = /^[A-Za-z0-9_=-]+(?:\.[A-Za-z0-9_=-]+)*$/;
/** Keys share a line of the protocol with the subject's prefix and a reply: nats-server cuts connections above 4,096. */
const KEY_MAX = 1_500;

/**
 * Every name the NATS engine uses, all of them starting with the prefix, so that installations can share servers.
 * Rooms and direct conversations have subjects of their own, so that one wildcard hears all direct traffic.
 */
export class NatsNames {
  /** The stream that stores the log. */
  readonly logStream: string;
  /** The stream behind the key-value bucket that stores the control log. */
  readonly controlStream: string;
  /** All subjects of the log, and where the server repeats what it stored on them. */
  readonly allLog: string;
  readonly allLive: string;
  /** All live subjects of direct conversations. */
  readonly liveDirect: string;
  /** All subjects of the control log. */
  readonly allControl: string;
  readonly #prefix: string;
  readonly #controlPrefix: string;

  /** @param prefix 1–32 of `[A-Za-z0-9_-]`. */
  constructor(prefix: string) {
    this.#prefix = prefix;
    const bucket = `${prefix}_control`;
    this.logStream = `${prefix.toUpperCase()}_LOG`;
    this.controlStream = `KV_${bucket}`;
    this.allLog = `${prefix}.log.>`;
    this.allLive = `${prefix}.live.>`;
    this.liveDirect = `${prefix}.live.d.*`;
    this.#controlPrefix = `$KV.${bucket}.`;
    this.allControl = `${this.#controlPrefix}>`;
  }

  /** Where a room's events are stored. @throws RangeError for what is no id: an id of any grammar fits. */
  log(room: RoomId): string {
    return `${this.#prefix}.log.${roomTokens(room)}`;
  }

  /** Where a room's events are heard. */
  live(room: RoomId): string {
    return `${this.#prefix}.live.${roomTokens(room)}`;
  }

  /** Where a room's signals are heard. */
  signal(room: RoomId): string {
    return `${this.#prefix}.signal.${roomTokens(room)}`;
  }

  /** The room of a log or live subject. */
  room(subject: string): RoomId {
    return decodeToken(subject.slice(subject.lastIndexOf(".") + 1)) as RoomId;
  }

  /** Where a control key is stored. @throws RangeError when the key is not tokens joined by dots. */
  control(key: string): string {
    if (key.length > KEY_MAX || !KEY.test(key)) throw new RangeError("a control key is tokens joined by dots");
    return this.#controlPrefix + key;
  }

  /** The key of a control subject. */
  key(subject: string): string {
    return subject.slice(this.#controlPrefix.length);
  }
}

function roomTokens(room: RoomId): string {
  const token = encodeToken(room);
  if (token === "" || token.length > TOKEN_MAX) throw new RangeError("a room id has 1 to 136 characters");
  return room.startsWith("direct:") ? `d.${token}` : `r.${token}`;
}
