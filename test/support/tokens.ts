import { SignJWT } from "jose";

/** Environment of a topology whose clients must present a token. */
export const JWT_ENV = { AUTH_MODE: "jwt", JWT_SECRET: "an-e2e-secret-of-more-than-32-bytes!" } as const;

/** A token's claims; `sub` is the uid. */
export interface Claims {
  readonly sub: string;
  readonly name?: string;
  readonly avatar_id?: string;
  readonly rooms?: readonly string[];
  readonly roles?: readonly string[];
  readonly jti?: string;
}

/** Signs a token that ends after `seconds`. */
export function token(claims: Claims, seconds = 600): Promise<string> {
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: "HS256" })
    .setIssuedAt()
    .setExpirationTime(Math.floor(Date.now() / 1_000) + seconds)
    .sign(new TextEncoder().encode(JWT_ENV.JWT_SECRET));
}
