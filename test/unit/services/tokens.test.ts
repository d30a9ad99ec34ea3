import { createHmac } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from "jose";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RoomError } from "../../../services/errors.ts";
import { TokenVerifier } from "../../../services/tokens.ts";

const SECRET = new TextEncoder().encode("an example secret of more than 32 bytes");
const NOW = Date.parse("2026-03-01T12:00:00Z");
const now = (): number => NOW;
const seconds = (offset: number): number => NOW / 1_000 + offset;

const sign = (claims: Record<string, unknown>, alg = "HS256", key: Uint8Array = SECRET): Promise<string> =>
  new SignJWT({ sub: "ann", exp: seconds(60), ...claims }).setProtectedHeader({ alg }).sign(key);

/** The other last character that stands for the same bits, of which two are not used. */
function neighbour(last = ""): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return alphabet[alphabet.indexOf(last) ^ 1] ?? "";
}

async function reasonOf(verified: Promise<unknown>): Promise<string> {
  const error = await verified.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return error instanceof RoomError ? `${error.reason}: ${error.message}` : `no RoomError but ${error}`;
}

describe("with a secret", () => {
  const verifier = new TokenVerifier({ key: { secret: SECRET }, issuer: "https://id.example", audience: "rooms", now });
  const token = (claims: Record<string, unknown>) => sign({ iss: "https://id.example", aud: "rooms", ...claims });

  it("reads who the user is from the claims", async () => {
    const claims = {
      name: "Ann",
      avatar_id: "a7",
      roles: ["moderator:table-*"],
      rooms: ["table-*"],
      jti: "t1",
      iat: seconds(-5),
    };
    expect(await verifier.verify(await token(claims))).toEqual({
      user: {
        kind: "user",
        uid: "ann",
        username: "Ann",
        avatarId: "a7",
        guest: false,
        roles: ["moderator:table-*"],
        rooms: ["table-*"],
      },
      tokenId: "t1",
      issuedAtMs: NOW - 5_000,
      expiresAtMs: NOW + 60_000,
    });
  });

  it("says nothing of rooms when the token does not", async () => {
    expect((await verifier.verify(await token({}))).user).toMatchObject({
      username: "ann",
      roles: [],
      rooms: undefined,
    });
  });

  it.each([
    ["20 s ago, within the leeway", { exp: seconds(-20) }, undefined],
    ["40 s ago, beyond it", { exp: seconds(-40) }, "unauthenticated: the token has expired"],
    ["not before a minute from now", { nbf: seconds(60) }, "unauthenticated: the token's nbf is wrong"],
    ["another issuer", { iss: "https://evil.example" }, "unauthenticated: the token's iss is wrong"],
    ["another audience", { aud: "other" }, "unauthenticated: the token's aud is wrong"],
    ["no audience", { aud: undefined }, "unauthenticated: the token's aud is wrong"],
    ["no expiry", { exp: undefined }, "unauthenticated: the token's exp is wrong"],
    ["an expiry after the year 9999", { exp: 1e15 }, "unauthenticated: the token's exp is wrong"],
    ["a negative expiry", { exp: -1 }, "unauthenticated: the token has expired"],
    ["an expiry that is a text", { exp: "soon" }, "unauthenticated: the token's exp is wrong"],
    ["a negative issue time", { iat: -5 }, "unauthenticated: the token's iat is wrong"],
    ["issued 20 s from now, within the leeway", { iat: seconds(20) }, undefined],
    [
      "issued 40 s from now, out of a revocation's reach",
      { iat: seconds(40) },
      "unauthenticated: the token's iat is wrong",
    ],
    ["an id that is a number", { jti: 5 }, "unauthenticated: the token's jti is wrong"],
    ["an empty id", { jti: "" }, "unauthenticated: the token's jti is wrong"],
    ["an id of 129 characters", { jti: "j".repeat(129) }, "unauthenticated: the token's jti is wrong"],
    ["an id with a line end", { jti: "a\r\nb" }, "unauthenticated: the token's jti is wrong"],
    ["an empty sub", { sub: "" }, "unauthenticated: the token's sub is no valid uid"],
    ["a sub of 65 characters", { sub: "u".repeat(65) }, "unauthenticated: the token's sub is no valid uid"],
    ["a sub with a wildcard", { sub: "a.*" }, "unauthenticated: the token's sub is no valid uid"],
    ["a sub with a line end", { sub: "a\r\nb" }, "unauthenticated: the token's sub is no valid uid"],
    ["a sub that is a number", { sub: 5 }, "unauthenticated: the token's sub is no valid uid"],
    ["a service's sub", { sub: "service|dealer" }, "unauthenticated: the token's sub is no valid uid"],
    ["a name of 65 characters", { name: "n".repeat(65) }, "unauthenticated: the token's name is wrong"],
    ["roles that are no list", { roles: "admin" }, "unauthenticated: the token's roles is wrong"],
    ["rooms with an empty pattern", { rooms: [""] }, "unauthenticated: the token's rooms is wrong"],
  ])("%s", async (_, claims, expected) => {
    const verified = verifier.verify(await token(claims));
    if (expected === undefined) await verified;
    else expect(await reasonOf(verified)).toBe(expected);
  });

  it.each([
    [
      "alg none",
      () =>
        new UnsecuredJWT({ sub: "ann", iss: "https://id.example", aud: "rooms" })
          .setExpirationTime(seconds(60))
          .encode(),
    ],
    ["another secret", () => sign({ iss: "https://id.example", aud: "rooms" }, "HS256", new Uint8Array(32))],
    [
      "an algorithm that is not listed",
      () => sign({ iss: "https://id.example", aud: "rooms" }, "HS512", new Uint8Array(64)),
    ],
    ["no token at all", () => "a.b"],
    ["an empty string", () => ""],
  ])("refuses %s", async (_, make) => {
    expect(await reasonOf(verifier.verify(await make()))).toBe("unauthenticated: the token is not valid");
  });

  it.each([
    ["a key id that is a path", { kid: "../../dev/null" }],
    ["a key id that is SQL", { kid: "' or 1=1 --" }],
    ["a key id that is a URL", { kid: "http://127.0.0.1:1/keys" }],
    ["a key id of 4 KiB", { kid: "k".repeat(4_096) }],
    ["a key set of its own", { jku: "http://127.0.0.1:1/keys" }],
    ["a certificate of its own", { x5u: "http://127.0.0.1:1/x" }],
    ["a key of its own", { jwk: { kty: "oct", k: "AAAA" } }],
  ])("does not look at %s, only at its own key", async (_, header) => {
    const claims = { sub: "ann", exp: seconds(60), iss: "https://id.example", aud: "rooms" };
    const signed = (key: Uint8Array) => new SignJWT(claims).setProtectedHeader({ alg: "HS256", ...header }).sign(key);
    expect((await verifier.verify(await signed(SECRET))).user.uid).toBe("ann");
    expect(await reasonOf(verifier.verify(await signed(new Uint8Array(32))))).toBe(
      "unauthenticated: the token is not valid",
    );
  });

  it.each([
    ["an expiry beyond all numbers", '{"alg":"HS256"}', '"exp":1e999', "the token's exp is wrong"],
    ["no time at all", '{"alg":"HS256"}', '"exp":null', "the token's exp is wrong"],
    ["a list of times", '{"alg":"HS256"}', '"exp":[9999999999]', "the token's exp is wrong"],
    ["alg None", '{"alg":"None"}', '"exp":9999999999', "the token is not valid"],
    ["alg in small letters", '{"alg":"hs256"}', '"exp":9999999999', "the token is not valid"],
    ["no alg", "{}", '"exp":9999999999', "the token is not valid"],
    ["claims that are no object", '{"alg":"HS256"}', undefined, "the token is not valid"],
  ])("refuses %s, however well it is signed", async (_, header, exp, reason) => {
    const claims = exp === undefined ? "[]" : `{"sub":"ann","iss":"https://id.example","aud":"rooms",${exp}}`;
    const body = [header, claims].map((part) => Buffer.from(part).toString("base64url")).join(".");
    const signature = createHmac("sha256", SECRET).update(body).digest("base64url");
    expect(await reasonOf(verifier.verify(`${body}.${signature}`))).toBe(`unauthenticated: ${reason}`);
  });

  it.each([
    ["nothing", () => ""],
    ["a part too many", (signature: string) => `${signature}.${signature}`],
    ["the same bytes spelled otherwise", (signature: string) => signature.slice(0, -1) + neighbour(signature.at(-1))],
    ["the same bytes padded", (signature: string) => `${signature}=`],
    ["bytes too few", (signature: string) => signature.slice(0, -4)],
  ])("refuses %s for a signature", async (_, change) => {
    const [header, claims, signature = ""] = (await token({})).split(".");
    const changed = `${header}.${claims}.${change(signature)}`;
    expect(await reasonOf(verifier.verify(changed))).toBe("unauthenticated: the token is not valid");
  });

  it("refuses a token with an extension it must understand and does not", async () => {
    const claims = { sub: "ann", exp: seconds(60), iss: "https://id.example", aud: "rooms" };
    const header = { alg: "HS256", crit: ["unheard-of"], "unheard-of": true };
    const signed = await new SignJWT(claims).setProtectedHeader(header).sign(SECRET, { crit: { "unheard-of": true } });
    expect(await reasonOf(verifier.verify(signed))).toBe("unauthenticated: the token is not valid");
  });

  it("refuses a token over 8 KiB unread", async () => {
    expect(await reasonOf(verifier.verify("x".repeat(8_193)))).toBe("unauthenticated: the token is too large");
  });
});

describe("with the issuer's published keys", () => {
  let issuer: Server;
  let url: URL;
  let keys: object[];
  let fetched: number;
  let failing: boolean;

  beforeEach(async () => {
    keys = [];
    fetched = 0;
    failing = false;
    issuer = createServer((_, response) => {
      fetched++;
      response.writeHead(failing ? 503 : 200, { "content-type": "application/json" }).end(JSON.stringify({ keys }));
    });
    await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
    url = new URL(`http://127.0.0.1:${(issuer.address() as AddressInfo).port}/keys`);
  });

  afterEach(() => new Promise((resolve) => issuer.close(resolve)));

  async function addKey(alg: string, kid: string): Promise<(claims?: object) => Promise<string>> {
    const { publicKey, privateKey } = await generateKeyPair(alg);
    keys.push({ ...(await exportJWK(publicKey)), kid, alg });
    return (claims = {}) =>
      new SignJWT({ sub: "ann", exp: seconds(60), ...claims }).setProtectedHeader({ alg, kid }).sign(privateKey);
  }

  it.each(["RS256", "ES256", "EdDSA"])("accepts %s", async (alg) => {
    const token = await addKey(alg, "k1");
    expect((await new TokenVerifier({ key: { jwksUrl: url }, now }).verify(await token())).user.uid).toBe("ann");
  });

  it("fetches once for many at a time", async () => {
    const token = await addKey("ES256", "k1");
    const verifier = new TokenVerifier({ key: { jwksUrl: url }, now });
    await Promise.all(Array.from({ length: 50 }, async () => verifier.verify(await token())));
    expect(fetched).toBe(1);
  });

  it("goes on with the keys it has while the issuer is down", async () => {
    const token = await addKey("ES256", "k1");
    const verifier = new TokenVerifier({ key: { jwksUrl: url }, now });
    await verifier.verify(await token());
    failing = true;
    expect((await verifier.verify(await token())).user.uid).toBe("ann");
  });

  describe("as time goes by", () => {
    /** Keys are looked for again after 30 s when one is missing, and after 10 minutes in any case. */
    const MISSING_MS = 31_000;
    const OLD_MS = 601_000;
    beforeEach(() => void vi.useFakeTimers({ toFake: ["Date", "performance"] }));
    afterEach(() => void vi.useRealTimers());
    const pass = (ms: number): void => void vi.advanceTimersByTime(ms);

    it("finds a key that was added, and forgets one that was taken away", async () => {
      const old = await addKey("ES256", "k1");
      const verifier = new TokenVerifier({ key: { jwksUrl: url }, now });
      await verifier.verify(await old());
      keys.length = 0;
      const young = await addKey("ES256", "k2");
      pass(MISSING_MS);
      expect((await verifier.verify(await young())).user.uid).toBe("ann");
      expect(await reasonOf(verifier.verify(await old()))).toBe("unauthenticated: the token is not valid");
      expect(fetched).toBe(2);
    });

    it("forgets a key that was taken away though nobody brings a new one", async () => {
      const old = await addKey("ES256", "k1");
      const verifier = new TokenVerifier({ key: { jwksUrl: url }, now });
      await verifier.verify(await old());
      keys.length = 0;
      await addKey("ES256", "k2");
      pass(OLD_MS);
      expect(await reasonOf(verifier.verify(await old()))).toBe("unauthenticated: the token is not valid");
    });

    it("does not fetch for every token that names a key nobody has", async () => {
      const token = await addKey("ES256", "k1");
      const verifier = new TokenVerifier({ key: { jwksUrl: url }, now });
      await verifier.verify(await token());
      keys.length = 0;
      const stranger = await addKey("ES256", "k9");
      keys.length = 0;
      for (let count = 0; count < 20; count++) {
        expect(await reasonOf(verifier.verify(await stranger()))).toMatch(/^unauthenticated/);
      }
      expect(fetched).toBe(1);
    });

    it("goes on with the keys it has through an outage, hardly asks meanwhile, and is up to date after it", async () => {
      const token = await addKey("ES256", "k1");
      const verifier = new TokenVerifier({ key: { jwksUrl: url }, now });
      await verifier.verify(await token());
      failing = true;
      const added = await addKey("ES256", "k2");
      pass(OLD_MS);
      for (let count = 0; count < 10; count++) {
        expect((await verifier.verify(await token())).user.uid).toBe("ann");
        // Whether this key is good nobody can say now, so its owner may come again.
        expect(await reasonOf(verifier.verify(await added()))).toMatch(/^unavailable/);
      }
      expect(fetched).toBe(2);
      failing = false;
      pass(MISSING_MS);
      expect((await verifier.verify(await added())).user.uid).toBe("ann");
    });
  });

  it("says unavailable when it never had any keys", async () => {
    const token = await addKey("ES256", "k1");
    failing = true;
    const verified = new TokenVerifier({ key: { jwksUrl: url }, now }).verify(await token());
    expect(await reasonOf(verified)).toBe("unavailable: the issuer's keys cannot be had");
  });

  it("refuses HS256 made with the public key", async () => {
    await addKey("RS256", "k1");
    const forged = await new SignJWT({ sub: "ann", exp: seconds(60) })
      .setProtectedHeader({ alg: "HS256", kid: "k1" })
      .sign(new TextEncoder().encode(JSON.stringify(keys[0])));
    expect(await reasonOf(new TokenVerifier({ key: { jwksUrl: url }, now }).verify(forged))).toMatch(
      /^unauthenticated/,
    );
  });
});
