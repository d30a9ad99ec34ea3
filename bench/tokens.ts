import { createHmac } from "node:crypto";
import type { Entrance } from "./entrance.ts";
import { joinRoom } from "./servers.ts";

const SECRET = "a-benchmark's-secret-of-32-bytes-or-more";
const SECONDS = 3_600;

/** Environment of a product whose clients must present a token. */
export const TOKEN_ENV = { AUTH_MODE: "jwt", JWT_SECRET: SECRET } as const;

/** A user's `login` frame. */
export function login(uid: string): string {
  return JSON.stringify({ type: "login", id: "login", payload: { token: token(uid) } });
}

/** How a user logs in and joins, each step once the one before is answered, as the SDK does it. */
export function asUser(uid: string, room: string): Entrance {
  return { path: "/ws?room_id=", says: [login(uid), joinRoom(room)] };
}

const encoded = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");
const HEADER = encoded({ alg: "HS256", typ: "JWT" });

function token(sub: string): string {
  const now = Math.floor(Date.now() / 1_000);
  const signed = `${HEADER}.${encoded({ sub, name: "Ann", iat: now, exp: now + SECONDS })}`;
  return `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
}
