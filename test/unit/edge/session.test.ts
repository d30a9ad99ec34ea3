import { createHmac, randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newGuest, SessionSigner, sessionHash } from "../../../edge/session.ts";
import { parseUid } from "../../../services/ids.ts";
import { FIXED } from "../../../services/limits.ts";

const key = randomBytes(32);
const signer = new SessionSigner({ key });

describe("SessionSigner", () => {
  it("knows a guest again, at any edge that has the key", () => {
    const guest = newGuest({ username: 'Zoë "🎉"', avatarId: "cat" });
    const secret = new SessionSigner({ key }).issue(guest);
    expect(signer.verify(secret)).toEqual(guest);
  });

  it("issues secrets that are valid subprotocol entries and fit", () => {
    const guest = newGuest({ username: "🎉".repeat(64), avatarId: "\u0001".repeat(64) });
    const secret = signer.issue(guest);
    expect(secret).toMatch(/^[A-Za-z0-9._-]{1,2000}$/);
    expect(signer.verify(secret)).toEqual(guest);
  });

  it("lets a secret end after a day, to the millisecond", () => {
    let now = 1_000_000;
    const clocked = new SessionSigner({ key, now: () => now });
    const secret = clocked.issue(newGuest());
    now += FIXED.sessionMs - 1;
    expect(clocked.verify(secret)).toBeDefined();
    now += 1;
    expect(clocked.verify(secret)).toBeUndefined();
  });

  it("remembers when the session began, however often a secret is issued for it", () => {
    let now = 1_000_000;
    const clocked = new SessionSigner({ key, now: () => now });
    const guest = { ...newGuest(), beganAtMs: 500 };
    now += 60_000;
    expect(clocked.verify(clocked.issue(clocked.verify(clocked.issue(guest)) ?? newGuest()))?.beganAtMs).toBe(500);
  });

  it("refuses a secret of another key", () => {
    expect(new SessionSigner({ key: randomBytes(32) }).verify(signer.issue(newGuest()))).toBeUndefined();
  });

  it("refuses a secret with any character changed, dropped, added or repeated", () => {
    const secret = signer.issue(newGuest());
    for (let index = 0; index < secret.length; index++) {
      const [head, tail] = [secret.slice(0, index), secret.slice(index + 1)];
      for (const put of ["", "A", "B", "_", ".", "=", " ", `${secret[index]}${secret[index]}`]) {
        if (put !== secret[index]) expect(signer.verify(head + put + tail), `${index} → ${put}`).toBeUndefined();
      }
    }
  });

  it("refuses a plain HMAC of the body: the key signs other things too", () => {
    const [body = ""] = signer.issue(newGuest()).split(".");
    const mac = createHmac("sha256", key).update(body).digest("base64url");
    expect(signer.verify(`${body}.${mac}`)).toBeUndefined();
  });

  it("refuses any garbage without throwing", () => {
    const garbage = fc.oneof(fc.string({ unit: "binary" }), fc.base64String(), fc.json());
    fc.assert(fc.property(garbage, (text) => signer.verify(text) === undefined));
    fc.assert(fc.property(garbage, garbage, (body, mac) => signer.verify(`${body}.${mac}`) === undefined));
  });

  it.each(["", ".", "..", "a.b", "é.🎉", "x".repeat(100_000), `${"x".repeat(100_000)}.y`])("refuses %s", (text) => {
    expect(signer.verify(text)).toBeUndefined();
  });

  it("takes no key that could be guessed", () => {
    expect(() => new SessionSigner({ key: randomBytes(31) })).toThrow(RangeError);
  });
});

describe("newGuest", () => {
  it("makes users nobody else is", () => {
    const guests = Array.from({ length: 1_000 }, () => newGuest());
    expect(new Set(guests.map((guest) => guest.uid)).size).toBe(1_000);
    expect(new Set(guests.map((guest) => guest.sid)).size).toBe(1_000);
    for (const { uid, username, sid } of guests) {
      expect(uid).toMatch(/^guest-[0-9a-z]{13}$/);
      expect(parseUid(uid)).toBe(uid);
      expect(username).toMatch(/^guest-[1-9][0-9]{3}$/);
      expect(Buffer.from(sid, "base64url")).toHaveLength(16);
    }
  });

  it("keeps what the client chose", () => {
    expect(newGuest({ username: "percy", avatarId: "7" })).toMatchObject({ username: "percy", avatarId: "7" });
    expect(newGuest({ username: "", avatarId: "" }).username).toMatch(/^guest-/);
  });
});

describe("sessionHash", () => {
  it("is SHA-256 in hex", () => {
    expect(sessionHash("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  });
});
