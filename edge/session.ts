import { createHash, createHmac, randomBytes, randomInt, timingSafeEqual } from "node:crypto";
import { parseUid, type Uid } from "../services/ids.ts";
import { FIXED } from "../services/limits.ts";

/** Who a guest is, for as long as it keeps its session secret. */
export interface GuestSession {
  readonly uid: Uid;
  readonly username: string;
  /** Empty for none. */
  readonly avatarId: string;
  /** Identity of the session, 128 random bits: the same in every secret issued for it. */
  readonly sid: string;
  /** When it began, in milliseconds since 1970: secrets issued later are as old, so that taking it back ends them all. */
  readonly beganAtMs: number;
}

/** Longer than any secret ever issued: two names of 64 four-byte characters, escaped, and the rest. */
const MAX_SECRET_CHARS = 4_096;

/**
 * Issues and checks session secrets. A secret is signed, not stored: every edge that has the key knows the guest again.
 * Shape: `<base64url of JSON>.<base64url of HMAC-SHA256>`, valid as a WebSocket subprotocol entry.
 */
export class SessionSigner {
  readonly #key: Uint8Array;
  readonly #now: () => number;

  /** `key` is at least 32 random bytes, shared by the cluster. `now` is the clock in milliseconds, default Date.now. */
  constructor(options: { key: Uint8Array; now?: () => number }) {
    if (options.key.length < 32) throw new RangeError("a session key has at least 32 bytes");
    this.#key = options.key;
    this.#now = options.now ?? Date.now;
  }

  /** Makes a secret that is good for FIXED.sessionMs from now. */
  issue(session: GuestSession): string {
    const { uid, username, avatarId, sid, beganAtMs } = session;
    const claims = { uid, username, avatarId, sid, beganAtMs, exp: this.#now() + FIXED.sessionMs };
    const body = Buffer.from(JSON.stringify(claims)).toString("base64url");
    return `${body}.${this.#sign(body)}`;
  }

  /** The session of a secret; undefined when it is expired, forged or no secret at all. */
  verify(secret: string): GuestSession | undefined {
    const dot = secret.indexOf(".");
    if (secret.length > MAX_SECRET_CHARS || dot < 0) return undefined;
    const body = secret.slice(0, dot);
    // Texts are compared, not bytes: base64url has several spellings of the same bytes, and only one was issued.
    const given = Buffer.from(secret.slice(dot + 1));
    const expected = Buffer.from(this.#sign(body));
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    return this.#read(body);
  }

  #read(body: string): GuestSession | undefined {
    // Only what issue() wrote gets here, so the shape is known; a uid of a newer version may still not be one here.
    const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as Omit<GuestSession, "beganAtMs"> & {
      readonly beganAtMs?: number;
      readonly exp: number;
    };
    const uid = parseUid(claims.uid);
    if (uid === undefined || claims.exp <= this.#now()) return undefined;
    const { username, avatarId, sid, beganAtMs = 0 } = claims;
    return { uid, username, avatarId, sid, beganAtMs };
  }

  #sign(body: string): string {
    return createHmac("sha256", this.#key).update("session.").update(body).digest("base64url");
  }
}

/** A new guest: a uid nobody else has (67 random bits) and, where the client chose none, a name such as `guest-1234`. */
export function newGuest(profile: { username?: string | undefined; avatarId?: string | undefined } = {}): GuestSession {
  return {
    uid: `guest-${randomBase36(13)}` as Uid,
    username: profile.username || `guest-${randomInt(1_000, 10_000)}`,
    avatarId: profile.avatarId ?? "",
    sid: randomBytes(16).toString("base64url"),
    beganAtMs: Date.now(),
  };
}

/** SHA-256 of a session's id in hex: what may be stored, since the secret cannot be had from it. */
export function sessionHash(sid: string): string {
  return createHash("sha256").update(sid).digest("hex");
}

function randomBase36(length: number): string {
  return Array.from({ length }, () => randomInt(36).toString(36)).join("");
}
