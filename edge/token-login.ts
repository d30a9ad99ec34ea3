import { RoomError } from "../services/errors.ts";
import type { VerifiedToken } from "../services/tokens.ts";
import type { LoginFrame } from "./frames.ts";
import type { Accepted } from "./handshake.ts";
import type { Authenticator, Identity } from "./identity.ts";
import type { Proof } from "./revocations.ts";

/** What a TokenAuthenticator needs. */
export interface TokenAuthenticatorOptions {
  /** Checks a token. @throws RoomError unauthenticated, unavailable. */
  readonly verifier: { verify(token: string): Promise<VerifiedToken> };
  /** True for a token that was taken back. Default: none was. */
  readonly isRevoked?: (uid: string, token: Proof) => boolean;
}

/** Lets in whoever presents a valid token, and nobody else. */
export class TokenAuthenticator implements Authenticator {
  readonly #verifier: TokenAuthenticatorOptions["verifier"];
  readonly #isRevoked: (uid: string, token: Proof) => boolean;

  constructor({ verifier, isRevoked = () => false }: TokenAuthenticatorOptions) {
    this.#verifier = verifier;
    this.#isRevoked = isRevoked;
  }

  async identify({ bearer, session }: Accepted): Promise<Identity | undefined> {
    if (session !== undefined) throw new RoomError("unauthenticated", "this server takes tokens, not sessions");
    return bearer === undefined ? undefined : await this.#identity(bearer);
  }

  async login({ token }: LoginFrame, current: Identity | undefined): Promise<Identity> {
    if (token === "") throw new RoomError("unauthenticated", "this server lets nobody in without a token");
    const identity = await this.#identity(token);
    if (current !== undefined && current.user.uid !== identity.user.uid) {
      throw new RoomError("permission_denied", "the token is another user's: open another connection for it");
    }
    return identity;
  }

  secretOf(): string {
    return "";
  }

  async #identity(text: string): Promise<Identity> {
    const { user, ...token } = await this.#verifier.verify(text);
    if (this.#isRevoked(user.uid, token)) throw new RoomError("unauthenticated", "the token was revoked");
    return { user, sid: "", provisional: false, proof: token, token };
  }
}
