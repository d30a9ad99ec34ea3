import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Accepted } from "../../../edge/handshake.ts";
import { GuestAuthenticator } from "../../../edge/identity.ts";
import { newGuest, SessionSigner } from "../../../edge/session.ts";
import { RoomError } from "../../../services/errors.ts";

const signer = new SessionSigner({ key: randomBytes(32) });
const revoked = new Map<string, number>();
const guests = new GuestAuthenticator({
  signer,
  isRevoked: (uid, { issuedAtMs }) => issuedAtMs <= (revoked.get(uid) ?? -1),
});

const asks = (session?: string): Accepted => ({
  ok: true,
  roomId: "",
  username: "percy",
  avatarId: "",
  bearer: undefined,
  session,
});
const login = (session: string) => ({ type: "login", id: "1", token: "", session, directSince: undefined }) as const;

describe("a guest", () => {
  it("is the one its session says, and keeps when that began", () => {
    const guest = newGuest({ username: "ann" });
    const identity = guests.identify(asks(signer.issue(guest)));
    expect(identity).toMatchObject({
      user: { uid: guest.uid, username: "ann", guest: true },
      provisional: false,
      proof: { tokenId: "", issuedAtMs: guest.beganAtMs },
    });
    expect(signer.verify(guests.secretOf(identity))).toEqual(guest);
  });

  it("whose session was taken back is somebody new, or refused when it insists", () => {
    const guest = newGuest();
    const secret = signer.issue(guest);
    const renewed = guests.secretOf(guests.identify(asks(secret)));
    revoked.set(guest.uid, guest.beganAtMs);
    for (const session of [secret, renewed]) {
      expect(guests.identify(asks(session))).toMatchObject({ provisional: true, user: { username: "percy" } });
      expect(guests.identify(asks(session)).user.uid).not.toBe(guest.uid);
      expect(() => guests.login(login(session), undefined, true)).toThrow(RoomError);
    }
  });
});
