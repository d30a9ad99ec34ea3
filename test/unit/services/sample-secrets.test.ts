import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { isSampleSecret } from "../../../services/sample-secrets.ts";

describe("secrets that everybody knows", () => {
  it.each([
    "secret",
    "Secret",
    "secret-secret-secret-secret-secret-secret",
    "your-256-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "my-32-character-ultra-secure-and-ultra-long-secret",
    "CHANGE_ME_CHANGE_ME_CHANGE_ME_CHANGE_ME",
    "please-change-this-to-something-long-and-random",
    "<your-secret-of-at-least-thirty-two-bytes>",
    "insert-your-secret-of-thirty-two-bytes-here",
    "1234567890123456789012345678901234567890",
    "passwordpasswordpasswordpasswordpassword",
    "s3cr3t",
  ])("%s is one", (secret) => {
    expect(isSampleSecret(secret)).toBe(true);
  });

  it.each(["", "a", "secretary", "mysecretx", "correct horse battery staple", "nats-room-7f3a"])(
    "%j is none",
    (secret) => {
      expect(isSampleSecret(secret)).toBe(false);
    },
  );

  it("are none that were made at random", () => {
    for (let count = 0; count < 1_000; count++) {
      for (const encoding of ["hex", "base64", "base64url"] as const) {
        expect(isSampleSecret(randomBytes(32).toString(encoding))).toBe(false);
      }
    }
  });
});
