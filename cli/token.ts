import type { Command } from "commander";
import { SignJWT } from "jose";
import { parseUid, SERVICE_UID_PREFIX } from "../services/ids.ts";
import { CliError, EXIT } from "./exit-codes.ts";
import { action, type Session, type Shell } from "./session.ts";
import { collect, seconds } from "./values.ts";

/** Shortest secret that HS256 may have (RFC 7518, section 3.2), in bytes. */
const SECRET_BYTES = 32;

/** What a client's token says. */
export interface TokenClaims {
  readonly uid: string;
  readonly name?: string | undefined;
  readonly avatar?: string | undefined;
  readonly roles?: readonly string[] | undefined;
  readonly rooms?: readonly string[] | undefined;
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
  readonly lifetimeSeconds: number;
}

interface TokenOptions extends Omit<TokenClaims, "uid" | "lifetimeSeconds" | "roles" | "rooms"> {
  readonly role?: readonly string[];
  readonly room?: readonly string[];
  readonly expires: number;
}

/** Signs a client's token (HS256). @throws CliError when the secret is missing or short, or the uid is none. */
export async function mintToken(secret: string | undefined, claims: TokenClaims): Promise<string> {
  const key = Buffer.from(secret ?? "");
  if (key.length === 0) throw new CliError("JWT_SECRET is not set: it must be the server's", EXIT.usage);
  if (key.length < SECRET_BYTES) throw new CliError(`JWT_SECRET must have ${SECRET_BYTES} bytes or more`, EXIT.usage);
  const { uid, name, avatar, roles, rooms, issuer, audience, lifetimeSeconds } = claims;
  if (parseUid(uid) === undefined || uid.startsWith(SERVICE_UID_PREFIX)) {
    throw new CliError(
      `a uid is 1 to 64 of A-Z a-z 0-9 _ . @ | -, not beginning with ${SERVICE_UID_PREFIX}`,
      EXIT.usage,
    );
  }
  const now = Math.floor(Date.now() / 1_000);
  const token = new SignJWT({
    ...(name !== undefined && { name }),
    ...(avatar !== undefined && { avatar_id: avatar }),
    ...(roles !== undefined && { roles }),
    ...(rooms !== undefined && { rooms }),
  })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setSubject(uid)
    .setJti(crypto.randomUUID())
    .setIssuedAt(now)
    .setExpirationTime(now + lifetimeSeconds);
  if (issuer) token.setIssuer(issuer);
  if (audience) token.setAudience(audience);
  return await token.sign(key);
}

/** token. */
export function addToken(program: Command, shell: Shell): void {
  program
    .command("token")
    .description("sign a client's token with JWT_SECRET, which must be the server's; asks no server")
    .argument("<uid>", "who the client is")
    .option("--name <name>", "display name (default: the uid)")
    .option("--avatar <id>", "picture")
    .option("--role <role>", "moderator, moderator:<pattern> or admin; may be repeated", collect)
    .option(
      "--room <pattern>",
      "rooms the client may join, such as table.*; may be repeated (default: all but private)",
      collect,
    )
    .option("--expires <time>", "lifetime: 45s, 30m, 12h, 7d", seconds, 3_600)
    .option("--issuer <iss>", "default: JWT_ISSUER")
    .option("--audience <aud>", "default: JWT_AUDIENCE")
    .action(action(shell, token));
}

async function token(session: Session, [uid = ""]: readonly string[], options: TokenOptions): Promise<void> {
  const { JWT_SECRET, JWT_ISSUER, JWT_AUDIENCE } = session.shell.env;
  const { role, room, expires, issuer = JWT_ISSUER, audience = JWT_AUDIENCE, ...rest } = options;
  const claims = { uid, ...rest, roles: role, rooms: room, issuer, audience, lifetimeSeconds: expires };
  const signed = await mintToken(JWT_SECRET, claims);
  const expires_at = new Date(Date.now() + expires * 1_000).toISOString();
  session.print(signed, { token: signed, uid, expires_at });
}
