import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import {
  type CryptoKey,
  createLocalJWKSet,
  createRemoteJWKSet,
  decodeProtectedHeader,
  errors,
  type FlattenedJWSInput,
  type JSONWebKeySet,
  type JWKSCacheInput,
  type JWSHeaderParameters,
  type JWTPayload,
  type JWTVerifyOptions,
  jwksCache,
  jwtVerify,
  UnsecuredJWT,
} from "jose";
import type { User } from "./auth.ts";
import { RoomError } from "./errors.ts";
import { parseUid, SERVICE_UID_PREFIX } from "./ids.ts";
import { characters, FIXED } from "./limits.ts";

/** How clients' tokens are checked. */
export interface TokenVerifierOptions {
  /** A shared secret of at least 32 bytes (HS256), or where the issuer publishes its keys. */
  readonly key: { readonly secret: Uint8Array } | { readonly jwksUrl: URL };
  /** Required `iss`. */
  readonly issuer?: string | undefined;
  /** Required `aud`. */
  readonly audience?: string | undefined;
  /** Clock for expiry, in ms since the epoch. */
  readonly now?: () => number;
}

/** What a valid token says of itself. */
export interface TokenFacts {
  /** Token id, empty when it has none; can be revoked. */
  readonly tokenId: string;
  /** When it was issued, 0 when it does not say. */
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

/** What a valid token says. */
export interface VerifiedToken extends TokenFacts {
  readonly user: User;
}

/** Clocks of issuer and server may differ by this much. */
export const LEEWAY_MS = 30_000;

const ASYMMETRIC = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];
/** How long an issuer that could not be reached is not asked again, while there are keys, in milliseconds. */
const RETRY_MS = 10_000;
const MAX_TOKEN_BYTES = 8 * 1024;
const MAX_TOKEN_ID_CHARS = 128;
/** The end of the year 9999 in seconds: what a timestamp of Protobuf can say at most. */
const MAX_TIME_S = 253_402_300_799;
const MAX_PATTERNS = 256;
const MAX_PATTERN_CHARS = 128;

/**
 * Checks JSON Web Tokens (RFC 7519, RFC 8725). Keys come from the configuration only, never from a token's own header, and
 * the algorithms are listed, so that neither `none` nor an HMAC made with a public key passes.
 */
export class TokenVerifier {
  readonly #verify: (token: string) => Promise<JWTPayload>;
  readonly #now: () => number;

  constructor(options: TokenVerifierOptions) {
    const { key, issuer, audience, now } = options;
    this.#now = now ?? Date.now;
    const base = (): JWTVerifyOptions => ({
      ...(issuer === undefined ? {} : { issuer }),
      ...(audience === undefined ? {} : { audience }),
      clockTolerance: LEEWAY_MS / 1_000,
      requiredClaims: ["exp", "sub"],
      ...(now === undefined ? {} : { currentDate: new Date(now()) }),
    });
    if ("secret" in key) {
      const secret = createSecretKey(key.secret);
      this.#verify = async (token) => UnsecuredJWT.decode(withoutSignature(token, secret), base()).payload;
    } else {
      const keys = new KeySet(key.jwksUrl);
      const resolve = (header: JWSHeaderParameters, token: FlattenedJWSInput) => keys.resolve(header, token);
      this.#verify = async (token) => (await jwtVerify(token, resolve, { ...base(), algorithms: ASYMMETRIC })).payload;
    }
  }

  /** @throws RoomError unauthenticated, saying what is wrong with the token; unavailable when the keys cannot be had. */
  async verify(token: string): Promise<VerifiedToken> {
    if (token.length > MAX_TOKEN_BYTES) throw refused("the token is too large");
    try {
      return read(await this.#verify(token), this.#now());
    } catch (error) {
      if (error instanceof RoomError) throw error;
      if (error instanceof KeysUnavailable) {
        throw new RoomError("unavailable", "the issuer's keys cannot be had", { cause: error });
      }
      if (error instanceof errors.JWTExpired) throw refused("the token has expired");
      if (error instanceof errors.JWTClaimValidationFailed) throw refused(`the token's ${error.claim} is wrong`);
      if (error instanceof errors.JOSEError || error instanceof TypeError) throw refused("the token is not valid");
      throw error;
    }
  }
}

/** True for what a token may be called by its issuer: 1 to 128 characters of printable ASCII. */
export function isTokenId(text: string): boolean {
  return text.length <= MAX_TOKEN_ID_CHARS && /^[\x20-\x7e]+$/.test(text);
}

/** What an unsecured token begins with. */
const UNSECURED = Buffer.from('{"alg":"none"}').toString("base64url");

/**
 * Checks a token's signature (HS256), and returns the token without one: what else there is to check of it is jose's.
 * jose would do this, too, but by WebCrypto, which sends every HMAC through the thread pool, at ten times its cost.
 * @throws JOSEError
 */
function withoutSignature(token: string, secret: KeyObject): string {
  const [header = "", claims = "", signature = "", ...rest] = token.split(".");
  const { alg, crit } = decodeProtectedHeader({ protected: header });
  if (rest.length > 0 || alg !== "HS256" || crit !== undefined) throw new errors.JWSInvalid();
  // Texts are compared, not bytes: base64url has several spellings of the same bytes, and only one was issued.
  const given = Buffer.from(signature);
  const expected = Buffer.from(createHmac("sha256", secret).update(`${header}.${claims}`).digest("base64url"));
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new errors.JWSSignatureVerificationFailed();
  }
  return `${UNSECURED}.${claims}.`;
}

class KeysUnavailable extends Error {}

/**
 * The issuer's keys: fetched once for all who wait, cached, and used on from the cache while the issuer cannot be reached.
 * A key that is not among them is looked for at the issuer, at most every 30 s.
 */
class KeySet {
  readonly #cache: JWKSCacheInput = {};
  readonly #remote: ReturnType<typeof createRemoteJWKSet>;
  /** Until when the issuer is not asked, by performance.now(). */
  #restUntil = 0;

  constructor(url: URL) {
    this.#remote = createRemoteJWKSet(url, { [jwksCache]: this.#cache, timeoutDuration: FIXED.requestMs });
  }

  async resolve(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    const known = "jwks" in this.#cache ? this.#cache.jwks : undefined;
    // Or every login would wait for an issuer that does not answer.
    if (known && performance.now() < this.#restUntil) return await findKey(known, header, token);
    try {
      return await this.#remote(header, token);
    } catch (error) {
      // A key that is not in the set is the token's fault; anything else is the fetch's.
      if (isNoMatch(error)) throw error;
      if (known === undefined) throw new KeysUnavailable("no keys were ever fetched", { cause: error });
      this.#restUntil = performance.now() + RETRY_MS;
      return await findKey(known, header, token);
    }
  }
}

/** @throws KeysUnavailable for a key that is not among those known: it may be a new one, which only the issuer could tell. */
async function findKey(
  known: JSONWebKeySet,
  header: JWSHeaderParameters,
  token: FlattenedJWSInput,
): Promise<CryptoKey> {
  try {
    return await createLocalJWKSet(known)(header, token);
  } catch (error) {
    throw isNoMatch(error) ? new KeysUnavailable("a key cannot be looked for", { cause: error }) : error;
  }
}

function isNoMatch(error: unknown): boolean {
  return error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys;
}

function read(claims: JWTPayload, now: number): VerifiedToken {
  const uid = parseUid(claims.sub);
  if (uid === undefined || uid.startsWith(SERVICE_UID_PREFIX)) throw refused("the token's sub is no valid uid");
  const issuedAtMs = milliseconds(claims, "iat");
  // One from the future would outlive every revocation until then.
  if (issuedAtMs > now + LEEWAY_MS) throw refused("the token's iat is wrong");
  const name = text(claims, "name") || uid;
  return {
    user: {
      kind: "user",
      uid,
      username: name,
      avatarId: text(claims, "avatar_id"),
      guest: false,
      roles: patterns(claims, "roles") ?? [],
      rooms: patterns(claims, "rooms"),
    },
    tokenId: tokenId(claims.jti),
    issuedAtMs,
    expiresAtMs: milliseconds(claims, "exp"),
  };
}

function tokenId(jti: unknown): string {
  // One that could not be revoked must not pass either.
  if (jti !== undefined && (typeof jti !== "string" || !isTokenId(jti))) throw refused("the token's jti is wrong");
  return jti ?? "";
}

function milliseconds(claims: JWTPayload, claim: "iat" | "exp"): number {
  const seconds = claims[claim] ?? 0;
  if (!(seconds >= 0 && seconds <= MAX_TIME_S)) throw refused(`the token's ${claim} is wrong`);
  return Math.floor(seconds * 1_000);
}

function text(claims: JWTPayload, claim: string): string {
  const value = claims[claim] ?? "";
  if (typeof value !== "string" || characters(value) > FIXED.nameChars) throw refused(`the token's ${claim} is wrong`);
  return value;
}

function patterns(claims: JWTPayload, claim: string): readonly string[] | undefined {
  const value = claims[claim];
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.length > MAX_PATTERNS || !value.every(isPattern)) {
    throw refused(`the token's ${claim} is wrong`);
  }
  return value;
}

function isPattern(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= MAX_PATTERN_CHARS;
}

function refused(message: string): RoomError {
  return new RoomError("unauthenticated", message);
}
