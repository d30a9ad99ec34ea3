import { describe, expect, it } from "vitest";
import { hasLoopbackName, isAllowedOrigin, parseListenerUrl } from "../../../services/origin.ts";

function listener(host: string, scheme: "http" | "https" = "http"): URL {
  const url = parseListenerUrl(scheme, host);
  if (url === undefined) throw new Error(`${host} is no host`);
  return url;
}

describe("parseListenerUrl", () => {
  it.each(["localhost", "localhost:3000", "127.0.0.1", "[::1]:80", "rooms.example", "xn--bcher-kva.example", "a_b:1"])(
    "takes %s",
    (host) => expect(parseListenerUrl("http", host)).toBeInstanceOf(URL),
  );

  it.each(["", " ", "[", "a b", "a/b", "a\\b", "a?b", "a#b", "user@localhost", "localhost:port", "localhost:99999"])(
    "refuses %j",
    (host) => expect(parseListenerUrl("http", host)).toBeUndefined(),
  );
});

describe("hasLoopbackName", () => {
  it.each(["localhost", "LOCALHOST:1", "127.0.0.1:65535", "[::1]", "[0:0::1]:80"])("is true of %s", (host) =>
    expect(hasLoopbackName(listener(host))).toBe(true),
  );

  // A page may give its own name any address, so only names that nobody can own count.
  it.each(["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "localhost.", "127.0.0.2", "0.0.0.0"])(
    "is false of %s",
    (host) => expect(hasLoopbackName(listener(host))).toBe(false),
  );
});

describe("isAllowedOrigin", () => {
  const allowed = ["https://app.example.com"];

  it.each(["http://rooms.example:3000", "https://app.example.com"])("is true of %s", (origin) =>
    expect(isAllowedOrigin(origin, listener("rooms.example:3000"), allowed)).toBe(true),
  );

  it("knows the listener's default port, and its scheme", () => {
    expect(isAllowedOrigin("https://rooms.example", listener("rooms.example:443", "https"), [])).toBe(true);
    expect(isAllowedOrigin("http://rooms.example", listener("rooms.example", "https"), [])).toBe(false);
  });

  it.each([
    "",
    "null",
    "*",
    "rooms.example:3000",
    "http://rooms.example",
    "http://rooms.example:3000/",
    "http://rooms.example:3000/path",
    "HTTP://rooms.example:3000",
    "https://rooms.example:3000",
    "https://app.example.com:444",
    "http://app.example.com",
    "https://app.example.com.evil.example",
    "https://user@app.example.com",
  ])("is false of %j", (origin) =>
    expect(isAllowedOrigin(origin, listener("rooms.example:3000"), allowed)).toBe(false),
  );

  it("is true of every origin, and of nothing else, where all are allowed", () => {
    expect(isAllowedOrigin("https://anything.example", listener("rooms.example"), ["*"])).toBe(true);
    expect(isAllowedOrigin("null", listener("rooms.example"), ["*"])).toBe(false);
  });
});
