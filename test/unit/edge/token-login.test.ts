import { SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import type { Accepted } from "../../../edge/handshake.ts";
import { TokenAuthenticator } from "../../../edge/token-login.ts";
import { RoomError } from "../../../services/errors.ts";
import { TokenVerifier } from "../../../services/tokens.ts";

const secret = new TextEncoder().encode("a secret of more than 32 bytes, for tests");
const verifier = new TokenVerifier({ key: { secret } });
const authenticator = new TokenAuthenticator({ verifier, isRevoked: (_, { tokenId }) => tokenId === "stolen" });

const sign = (claims: Record<string, unknown>): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).setIssuedAt().setExpirationTime("10m").sign(secret);
const asks = (credentials: Partial<Accepted>): Accepted => ({
  ok: true,
  roomId: "",
  username: "percy",
  avatarId: "",
  bearer: undefined,
  session: undefined,
  ...credentials,
});
const login = (fields: { token?: string; session?: string }) =>
  ({ type: "login", id: "1", token: "", session: "", directSince: undefined, ...fields }) as const;
const reason = (made: Promise<unknown>): Promise<unknown> =>
  made.catch((error: unknown) => (error instanceof RoomError ? error.reason : error));

describe("who must present a token", () => {
  it("is who the token says, whatever the query says", async () => {
    const identity = await authenticator.identify(asks({ bearer: await sign({ sub: "ann", name: "Ann", jti: "t1" }) }));
    expect(identity).toMatchObject({
      user: { uid: "ann", username: "Ann", guest: false },
      sid: "",
      provisional: false,
      token: { tokenId: "t1" },
    });
  });

  it("may log in later when its request has no token, but not come as a guest", async () => {
    expect(await authenticator.identify(asks({}))).toBeUndefined();
    expect(await reason(authenticator.identify(asks({ session: "guest" })))).toBe("unauthenticated");
    expect(await reason(authenticator.login(login({}), undefined))).toBe("unauthenticated");
    expect(await reason(authenticator.login(login({ session: "guest" }), undefined))).toBe("unauthenticated");
  });

  it("is refused with a token that is wrong or was taken back", async () => {
    expect(await reason(authenticator.identify(asks({ bearer: "x" })))).toBe("unauthenticated");
    const stolen = await sign({ sub: "ann", jti: "stolen" });
    expect(await reason(authenticator.identify(asks({ bearer: stolen })))).toBe("unauthenticated");
    expect(await reason(authenticator.login(login({ token: stolen }), undefined))).toBe("unauthenticated");
  });

  it("may bring a newer token, of the same user", async () => {
    const current = await authenticator.login(login({ token: await sign({ sub: "ann" }) }), undefined);
    const newer = await authenticator.login(
      login({ token: await sign({ sub: "ann", roles: ["moderator"] }) }),
      current,
    );
    expect(newer.user.roles).toEqual(["moderator"]);
    const another = await sign({ sub: "bob" });
    expect(await reason(authenticator.login(login({ token: another }), current))).toBe("permission_denied");
  });
});
