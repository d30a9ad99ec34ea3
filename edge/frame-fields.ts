import { RoomError } from "../services/errors.ts";
import { parseRoomId, parseUid, type RoomId, type Uid } from "../services/ids.ts";
import { FIXED } from "../services/limits.ts";

/** A place in the log as a client names it: the last event it has. */
export interface Position {
  readonly epoch: string;
  /** 0 for the beginning. */
  readonly seq: number;
}

/** Every payload field a client may send, by its Protobuf name. */
const NAMES = [
  "after_seq",
  "before_seq",
  "client_msg_id",
  "direct_since",
  "duration_ms",
  "epoch",
  "from",
  "frozen",
  "history",
  "image_url",
  "limit",
  "message",
  "page_size",
  "page_token",
  "reason",
  "room_id",
  "seq",
  "session",
  "since",
  "slow_mode_ms",
  "to_uid",
  "token",
  "uid",
] as const;
type FieldName = (typeof NAMES)[number];

// The Protobuf JSON mapping takes both names of a field; this is the only place that knows the second one.
const CAMEL = Object.fromEntries(
  NAMES.map((name) => [name, name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())]),
) as Record<FieldName, string>;

const DECIMAL = /^(0|[1-9][0-9]{0,15})$/;

/**
 * Reads one payload by the Protobuf JSON mapping: snake_case or lowerCamelCase names, null means absent, integers as
 * numbers or decimal strings, unknown fields ignored. Text with a lone surrogate is refused, since UTF-8 cannot carry
 * it. Every method throws RoomError invalid_argument, with `field` in its metadata, when the field is wrong.
 */
export class PayloadReader {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #prefix: string;

  constructor(fields: object, prefix = "") {
    this.#fields = fields as Record<string, unknown>;
    this.#prefix = prefix;
  }

  /** A text of at most `maxChars` UTF-16 units, default as long as the frame may be; empty when absent. */
  text(name: FieldName, maxChars = Number.POSITIVE_INFINITY): string {
    const value = this.#get(name) ?? "";
    if (typeof value !== "string") throw this.#wrong(name, "must be a string");
    if (value.length > maxChars) throw this.#wrong(name, `has at most ${maxChars} characters`);
    if (!value.isWellFormed()) throw this.#wrong(name, "must be well-formed Unicode");
    return value;
  }

  /** An integer from `min` to `max`; undefined when absent. */
  integer(name: FieldName, min: number, max: number): number | undefined {
    const given = this.#get(name);
    if (given === undefined) return undefined;
    const value = typeof given === "string" && DECIMAL.test(given) ? Number(given) : given;
    if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
      throw this.#wrong(name, `must be an integer from ${min} to ${max}`);
    }
    return (value as number) + 0; // -0 becomes 0
  }

  /** A truth value; undefined when absent. */
  boolean(name: FieldName): boolean | undefined {
    const value = this.#get(name);
    if (value !== undefined && typeof value !== "boolean") throw this.#wrong(name, "must be true or false");
    return value;
  }

  /** A seq, which the log keeps below 2^53; undefined when absent. */
  seq(name: FieldName, min = 0): number | undefined {
    return this.integer(name, min, Number.MAX_SAFE_INTEGER);
  }

  /** A room's id; undefined when absent or empty. */
  optionalRoom(name: FieldName): RoomId | undefined {
    const value = this.text(name);
    if (value === "") return undefined;
    const room = parseRoomId(value);
    if (room === undefined) throw this.#wrong(name, "must be 1 to 64 characters of [A-Za-z0-9_.:@-]");
    return room;
  }

  /** A room's id that must be given. */
  room(name: FieldName): RoomId {
    const room = this.optionalRoom(name);
    if (room === undefined) throw this.#wrong(name, "is required");
    return room;
  }

  /** A user's id; undefined when absent or empty. */
  optionalUid(name: FieldName): Uid | undefined {
    const value = this.text(name);
    if (value === "") return undefined;
    const uid = parseUid(value);
    if (uid === undefined) throw this.#wrong(name, "must be 1 to 64 characters of [A-Za-z0-9_.@|-]");
    return uid;
  }

  /** A user's id that must be given. */
  uid(name: FieldName): Uid {
    const uid = this.optionalUid(name);
    if (uid === undefined) throw this.#wrong(name, "is required");
    return uid;
  }

  /** A position {epoch, seq}; undefined when absent. */
  position(name: FieldName): Position | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (!isJsonObject(value)) throw this.#wrong(name, "must be an object {epoch, seq}");
    const reader = new PayloadReader(value, `${this.#prefix}${name}.`);
    const epoch = reader.text("epoch", FIXED.nameChars);
    if (epoch === "") throw reader.#wrong("epoch", "is required");
    return { epoch, seq: reader.seq("seq") ?? 0 };
  }

  /** The error that says what is wrong with several fields together. */
  conflict(first: FieldName, second: FieldName): RoomError {
    return this.#wrong(first, `and ${this.#prefix}${second} may not both be given`);
  }

  /** The error that says that a field must be given. */
  missing(name: FieldName): RoomError {
    return this.#wrong(name, "is required");
  }

  #get(name: FieldName): unknown {
    return this.#fields[name] ?? this.#fields[CAMEL[name]] ?? undefined;
  }

  #wrong(name: FieldName, what: string): RoomError {
    const field = `${this.#prefix}${name}`;
    return new RoomError("invalid_argument", `${field} ${what}`, { metadata: { field } });
  }
}

/** True for a JSON object, not for an array or null. */
export function isJsonObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
