import { parseRoomId, type RoomId } from "../services/ids.ts";
import { characters, FIXED } from "../services/limits.ts";
import { hasLoopbackName, isAllowedOrigin, parseListenerUrl } from "../services/origin.ts";

/** Path of the WebSocket endpoint. */
export const WEBSOCKET_PATH = "/ws";
/** The one subprotocol, also spoken when the client offers none. */
export const SUBPROTOCOL = "baccarat.v1.json";

/** What is known of a request when it is judged. An http.IncomingMessage is one. */
export interface UpgradeRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersion: string;
  /** Names and values in turn, as received: the parsed headers hide duplicates. */
  readonly rawHeaders: readonly string[];
}

/** What a listener accepts. */
export interface HandshakeOptions {
  /** Origins allowed beside the listener's own, exactly as browsers write them. */
  readonly allowedOrigins: readonly string[];
  /** Scheme of the listener, for its own origin. */
  readonly scheme: "http" | "https";
  /** True: only names of the loopback are answered, so that no web page can reach it by rebinding its own name. */
  readonly loopbackOnly: boolean;
}

/** A request that becomes a WebSocket. */
export interface Accepted {
  readonly ok: true;
  /** First room: undefined when not named (the server's default), empty for none. */
  readonly roomId: RoomId | "" | undefined;
  /** Display name a guest chose, empty for none. */
  readonly username: string;
  /** Picture a guest chose, empty for none. */
  readonly avatarId: string;
  /** JSON Web Token from the Authorization header or a `bearer.` subprotocol entry, not verified yet. */
  readonly bearer: string | undefined;
  /** Session secret from a `session.` subprotocol entry, not verified yet. */
  readonly session: string | undefined;
}

/** A request that does not. */
export interface Refused {
  readonly ok: false;
  readonly status: number;
  /** For humans. */
  readonly message: string;
  /** Further response headers. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Judges an upgrade request. Everything is checked here, since ws and Node also accept version 8, HTTP/1.0, two Host
 * headers, absolute-form targets and unknown subprotocols. Never throws.
 */
export function checkUpgrade(request: UpgradeRequest, options: HandshakeOptions): Accepted | Refused {
  const [path = "", ...query] = (request.url ?? "").split("?");
  const headers = headersOf(request);
  const refusal =
    checkTarget(request, path) ??
    checkListener(headers, options) ??
    checkWebSocket(headers) ??
    checkOrigin(headers, options);
  if (refusal !== undefined) return refusal;
  const profile = parseQuery(query.join("?"));
  if ("status" in profile) return profile;
  const credentials = parseCredentials(headers);
  if ("status" in credentials) return credentials;
  return { ok: true, ...profile, ...credentials };
}

/** Checks the Host header, for upgrades and pages alike; undefined when it is right. */
export function checkHost(request: UpgradeRequest, options: HandshakeOptions): Refused | undefined {
  return checkListener(headersOf(request), options);
}

/** Every value of a header, in order. */
export function headerValues(request: UpgradeRequest, name: string): readonly string[] {
  return headersOf(request).get(name) ?? NONE;
}

/** A refusal with its status, its words for humans and further headers. */
export function refuse(status: number, message: string, headers: Record<string, string> = {}): Refused {
  return { ok: false, status, message, headers };
}

/** The answer to a plain request for the WebSocket endpoint. */
export const UPGRADE_REQUIRED: Refused = refuse(426, "this is a WebSocket endpoint", {
  Upgrade: "websocket",
  Connection: "close, Upgrade",
});

/** Every header's values in order, by its name in small letters. */
type Headers = ReadonlyMap<string, readonly string[]>;

const NONE: readonly string[] = [];

function headersOf({ rawHeaders }: UpgradeRequest): Headers {
  const headers = new Map<string, string[]>();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase() ?? "";
    const value = rawHeaders[index + 1] ?? "";
    const known = headers.get(name);
    if (known === undefined) headers.set(name, [value]);
    else known.push(value);
  }
  return headers;
}

function checkListener(headers: Headers, options: HandshakeOptions): Refused | undefined {
  const listener = listenerUrl(headers, options);
  if (listener === undefined) return refuse(400, "exactly one valid Host header is needed");
  if (options.loopbackOnly && !hasLoopbackName(listener)) {
    return refuse(
      421,
      "this server answers as localhost, 127.0.0.1 or [::1] only; set ALLOWED_ORIGINS to serve others",
    );
  }
  return undefined;
}

function checkTarget(request: UpgradeRequest, path: string): Refused | undefined {
  if (!path.startsWith("/") || path.startsWith("//")) return refuse(400, "the request target must be a path");
  if (path !== WEBSOCKET_PATH) return refuse(404, `WebSocket connections are taken at ${WEBSOCKET_PATH}`);
  if (request.method !== "GET") return refuse(405, "only GET can be upgraded", { Allow: "GET" });
  if (request.httpVersion !== "1.1") return refuse(400, "HTTP/1.1 is needed");
  return undefined;
}

function checkWebSocket(headers: Headers): Refused | undefined {
  const upgrade = headers.get("upgrade") ?? NONE;
  const connection = (headers.get("connection") ?? NONE).flatMap(listEntries);
  if (upgrade.length === 0 || !connection.some((entry) => entry.toLowerCase() === "upgrade")) {
    return UPGRADE_REQUIRED;
  }
  if (upgrade.length !== 1 || upgrade[0]?.toLowerCase() !== "websocket") {
    return refuse(400, "Upgrade must be websocket and nothing else");
  }
  const [version, ...otherVersions] = headers.get("sec-websocket-version") ?? NONE;
  if (version !== "13" || otherVersions.length > 0) {
    return refuse(400, "Sec-WebSocket-Version must be 13", { "Sec-WebSocket-Version": "13" });
  }
  const [key = "", ...otherKeys] = headers.get("sec-websocket-key") ?? NONE;
  if (!SIXTEEN_BYTES.test(key) || otherKeys.length > 0) {
    return refuse(400, "Sec-WebSocket-Key must be 16 bytes in base64");
  }
  return undefined;
}

function checkOrigin(headers: Headers, options: HandshakeOptions): Refused | undefined {
  const origins = headers.get("origin") ?? NONE;
  if (origins.length === 0) return undefined; // not a browser
  const [origin = "", ...others] = origins;
  const listener = listenerUrl(headers, options);
  const allowed =
    others.length === 0 && listener !== undefined && isAllowedOrigin(origin, listener, options.allowedOrigins);
  return allowed ? undefined : refuse(403, "this origin is not allowed");
}

function listenerUrl(headers: Headers, options: HandshakeOptions): URL | undefined {
  const [host = "", ...others] = headers.get("host") ?? NONE;
  return others.length === 0 ? parseListenerUrl(options.scheme, host) : undefined;
}

function parseQuery(query: string): Pick<Accepted, "roomId" | "username" | "avatarId"> | Refused {
  if (!isPercentEncoded(query)) return refuse(400, "the query is not valid percent-encoded UTF-8");
  const fields = new URLSearchParams(query);
  if (SECRET_FIELDS.some((name) => fields.has(name))) {
    return refuse(400, "secrets do not belong in a URL: send login, an Authorization header, or a subprotocol entry");
  }
  if (PROFILE_FIELDS.some((name) => fields.getAll(name).length > 1)) return refuse(400, "a field is given twice");
  const room = fields.get("room_id") ?? undefined;
  const roomId = room === "" ? "" : parseRoomId(room);
  if (room !== undefined && roomId === undefined) return refuse(400, "room_id is not a room's id");
  const username = fields.get("username") ?? "";
  const avatarId = fields.get("avatar_id") ?? "";
  if (characters(username) > FIXED.nameChars) return refuse(400, `username has at most ${FIXED.nameChars} characters`);
  if (characters(avatarId) > FIXED.nameChars) return refuse(400, `avatar_id has at most ${FIXED.nameChars} characters`);
  return { roomId, username, avatarId };
}

function parseCredentials(headers: Headers): Pick<Accepted, "bearer" | "session"> | Refused {
  const header = headers.get("sec-websocket-protocol") ?? NONE;
  const offered = header.flatMap(listEntries);
  if (header.length > 0 && !areTokens(offered)) {
    return refuse(400, `Sec-WebSocket-Protocol must be a list of at most ${MAX_SUBPROTOCOLS} different tokens`);
  }
  if (offered.length > 0 && !offered.includes(SUBPROTOCOL)) {
    return refuse(400, `Sec-WebSocket-Protocol must offer ${SUBPROTOCOL}`);
  }
  const authorization = (headers.get("authorization") ?? NONE).flatMap((value) => BEARER.exec(value)?.[1] ?? []);
  const bearers = [...authorization, ...entriesAfter(offered, "bearer.")];
  const sessions = entriesAfter(offered, "session.");
  if (bearers.length + sessions.length > 1) return refuse(400, "at most one token or session may be given");
  return { bearer: bearers[0], session: sessions[0] };
}

function areTokens(entries: readonly string[]): boolean {
  return (
    entries.length <= MAX_SUBPROTOCOLS &&
    new Set(entries).size === entries.length &&
    entries.every((entry) => entry.length <= MAX_SUBPROTOCOL_CHARS && TOKEN.test(entry))
  );
}

function entriesAfter(entries: readonly string[], prefix: string): string[] {
  return entries.filter((entry) => entry.startsWith(prefix)).map((entry) => entry.slice(prefix.length));
}

function listEntries(value: string): string[] {
  return value.split(",").map((entry) => entry.replace(OPTIONAL_SPACE, ""));
}

function isPercentEncoded(query: string): boolean {
  try {
    decodeURIComponent(query);
    return true;
  } catch {
    return false; // URIError, which is the answer
  }
}

const SIXTEEN_BYTES = /^[+/0-9A-Za-z]{22}==$/;
const BEARER = /^bearer +([^\s]+)$/i;
/** Not trim(), which also takes characters that no token may hold. */
const OPTIONAL_SPACE = /^[ \t]+|[ \t]+$/g;
/** RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const MAX_SUBPROTOCOLS = 16;
/** A JSON Web Token with many claims fits; Node's header limit bounds the sum. */
const MAX_SUBPROTOCOL_CHARS = 4_096;
const PROFILE_FIELDS = ["room_id", "username", "avatar_id"] as const;
const SECRET_FIELDS = ["token", "access_token", "session"] as const;
