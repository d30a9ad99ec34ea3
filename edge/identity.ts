import type { User } from "../services/auth.ts";
import { RoomError } from "../services/errors.ts";
import type { TokenFacts } from "../services/tokens.ts";
import type { LoginFrame } from "./frames.ts";
import type { Accepted } from "./handshake.ts";
import type { Proof } from "./revocations.ts";
import { type GuestSession, newGuest, type SessionSigner } from "./session.ts";

/** Who a connection is, and how it may prove it again. */
export interface Identity {
  readonly user: User;
  /** Identity of a guest's session; empty for logged-in users. */
  readonly sid: string;
  /** True when it may still be exchanged for another by the first frame: it was made up for want of a better. */
  readonly provisional: boolean;
  /** What it was proved by, which may be taken back. */
  readonly proof: Proof;
  /** The token it was proved by; undefined for guests. */
  readonly token: TokenFacts | undefined;
}

/** Decides who a connection is. One for guests, one for tokens. */
export interface Authenticator {
  /**
   * Who is connecting, by what the upgrade request says; undefined when it must log in first.
   * @throws RoomError unauthenticated, which ends the connection.
   */
  identify(accepted: Accepted): Identity | undefined | Promise<Identity | undefined>;
  /**
   * Who says so in a login. `current` is who the connection is so far, `first` whether the login is its first frame.
   * @throws RoomError unauthenticated, permission_denied or invalid_argument; the connection goes on as it was.
   */
  login(frame: LoginFrame, current: Identity | undefined, first: boolean): Identity | Promise<Identity>;
  /**
   * Secret by which a guest is known again, empty for logged-in users. Made when it is asked for: kept, it would be the most
   * of an identity.
   */
  secretOf(identity: Identity): string;
}

/** The same for all, since idle connections are many. */
const NO_ROLES: User["roles"] = [];

/** Lets everybody in: as a new guest, or as the guest whose session secret is presented. */
export class GuestAuthenticator implements Authenticator {
  readonly #signer: SessionSigner;
  readonly #isRevoked: (uid: string, session: Proof) => boolean;

  /** `isRevoked` is true for a session that was taken back. Default: none was. */
  constructor(options: { signer: SessionSigner; isRevoked?: (uid: string, session: Proof) => boolean }) {
    this.#signer = options.signer;
    this.#isRevoked = options.isRevoked ?? (() => false);
  }

  /** A session that is no good is as if there were none: a page that was away for long is a new guest. */
  identify(accepted: Accepted): Identity {
    const session = accepted.session === undefined ? undefined : this.#verify(accepted.session);
    return this.#guest(session ?? newGuest(accepted), session === undefined);
  }

  login(frame: LoginFrame, current: Identity | undefined, first: boolean): Identity {
    if (frame.token !== "") throw new RoomError("unauthenticated", "this server takes no tokens");
    const session = frame.session === "" ? undefined : this.#verify(frame.session);
    if (frame.session !== "" && session === undefined) {
      throw new RoomError("unauthenticated", "the session is not valid, or no longer");
    }
    if (session === undefined) return current === undefined ? this.#guest(newGuest(), false) : settled(current);
    if (session.sid === current?.sid) return settled(current);
    if (!first || current?.provisional === false) {
      throw new RoomError("invalid_argument", "session is taken in the first frame only", {
        metadata: { field: "session" },
      });
    }
    return this.#guest(session, false);
  }

  secretOf({ user, sid, proof }: Identity): string {
    const { uid, username, avatarId } = user;
    return this.#signer.issue({ uid, username, avatarId, sid, beganAtMs: proof.issuedAtMs });
  }

  #verify(secret: string): GuestSession | undefined {
    const session = this.#signer.verify(secret);
    return session && this.#isRevoked(session.uid, proofOf(session)) ? undefined : session;
  }

  #guest(session: GuestSession, provisional: boolean): Identity {
    const { uid, username, avatarId } = session;
    return {
      user: { kind: "user", uid, username, avatarId, guest: true, roles: NO_ROLES, rooms: undefined },
      sid: session.sid,
      provisional,
      proof: proofOf(session),
      token: undefined,
    };
  }
}

function proofOf({ beganAtMs }: GuestSession): Proof {
  return { tokenId: "", issuedAtMs: beganAtMs };
}

function settled(identity: Identity): Identity {
  return { ...identity, provisional: false };
}
