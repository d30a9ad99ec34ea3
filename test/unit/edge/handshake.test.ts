import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkUpgrade } from "../../../edge/handshake.ts";
import { type Listener, sendRaw, startListener, upgradeRequest } from "./edge-listener.ts";

const JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl";
const APP = "https://app.example.com";

describe("upgrade requests over raw sockets", () => {
  let listener: Listener;
  /** As behind a load balancer: any host name, one more origin. */
  let open: Listener;

  beforeAll(async () => {
    listener = await startListener();
    open = await startListener({ allowedOrigins: [APP] });
  });

  afterAll(async () => {
    await listener[Symbol.asyncDispose]();
    await open[Symbol.asyncDispose]();
  });

  it.each([
    ["POST", upgradeRequest("/ws", {}, { method: "POST" }), 405],
    ["no key", upgradeRequest("/ws", { "Sec-WebSocket-Key": undefined }), 400],
    ["a key of 15 bytes", upgradeRequest("/ws", { "Sec-WebSocket-Key": "c2hvcnQgYnkgYSBieXRl" }), 400],
    ["a key that is no base64", upgradeRequest("/ws", { "Sec-WebSocket-Key": "!!!!!!!!!!!!!!!!!!!!!!==" }), 400],
    ["two keys", upgradeRequest("/ws", { "Sec-WebSocket-Key": ["dGhlIHNhbXBsZSBub25jZQ==", "x"] }), 400],
    ["version 8", upgradeRequest("/ws", { "Sec-WebSocket-Version": "8" }), 400],
    ["version 12", upgradeRequest("/ws", { "Sec-WebSocket-Version": "12" }), 400],
    ["version 13 and 8", upgradeRequest("/ws", { "Sec-WebSocket-Version": "13, 8" }), 400],
    ["two versions", upgradeRequest("/ws", { "Sec-WebSocket-Version": ["13", "13"] }), 400],
    ["no version", upgradeRequest("/ws", { "Sec-WebSocket-Version": undefined }), 400],
    ["HTTP/1.0", upgradeRequest("/ws", {}, { version: "HTTP/1.0" }), 400],
    ["HTTP/2.0", upgradeRequest("/ws", {}, { version: "HTTP/2.0" }), 400],
    ["a query that does not decode", upgradeRequest("/ws?x=%zz"), 400],
    ["a query that is no UTF-8", upgradeRequest("/ws?username=%ff%fe"), 400],
    ["a lone surrogate in the query", upgradeRequest("/ws?username=%ed%a0%80"), 400],
    ["no Host", upgradeRequest("/ws", { Host: undefined }), 400],
    ["two Hosts", upgradeRequest("/ws", { Host: ["localhost", "localhost"] }), 400],
    ["an empty Host", upgradeRequest("/ws", { Host: "" }), 400],
    ["a Host with a path", upgradeRequest("/ws", { Host: "localhost/ws" }), 400],
    ["a Host with a user", upgradeRequest("/ws", { Host: "localhost@evil.io" }), 400],
    ["a Host of its own name", upgradeRequest("/ws", { Host: "rebound.evil.io" }), 421],
    ["a Host that begins like localhost", upgradeRequest("/ws", { Host: "localhost.evil.io" }), 421],
    ["h2c", upgradeRequest("/ws", { Upgrade: "h2c" }), 400],
    ["websocket or h2c", upgradeRequest("/ws", { Upgrade: "websocket, h2c" }), 400],
    ["two Upgrades", upgradeRequest("/ws", { Upgrade: ["websocket", "websocket"] }), 400],
    ["no Upgrade", upgradeRequest("/ws", { Upgrade: undefined, Connection: "close" }), 426],
    ["no Connection", upgradeRequest("/ws", { Connection: "close" }), 426],
    ["an unknown subprotocol", withProtocols("chat"), 400],
    ["the reserved subprotocol", withProtocols("baccarat.v1.proto"), 400],
    ["a bearer alone", withProtocols(`bearer.${JWT}`), 400],
    ["a session alone", withProtocols("session.abc"), 400],
    ["an empty list of subprotocols", withProtocols(""), 400],
    ["a subprotocol twice", withProtocols("baccarat.v1.json, baccarat.v1.json"), 400],
    ["a subprotocol that is no token", withProtocols("baccarat.v1.json, a b"), 400],
    ["a list with a hole", withProtocols("baccarat.v1.json,,chat"), 400],
    ["17 subprotocols", withProtocols(`baccarat.v1.json, ${list(16)}`), 400],
    ["100 subprotocols", withProtocols(`baccarat.v1.json, ${list(99)}`), 400],
    ["a subprotocol of 8 KiB", withProtocols(`baccarat.v1.json, ${"x".repeat(8_192)}`), 400],
    ["two bearers", withProtocols("baccarat.v1.json, bearer.a, bearer.b"), 400],
    ["a bearer and a session", withProtocols("baccarat.v1.json, bearer.a, session.b"), 400],
    ["headers over 16 KiB", upgradeRequest("/ws", { "X-Padding": "x".repeat(17_000) }), 431],
    ["a bare line feed", upgradeRequest("/ws", { "X-A": "b\nX-C: d" }), 400],
    ["a folded header", upgradeRequest("/ws", { "X-A": "b\r\n c" }), 400],
    ["a NUL in a header", upgradeRequest("/ws", { "X-A": "b\0c" }), 400],
    ["a space in the path", upgradeRequest("/ws /x"), 400],
    ["two lengths", upgradeRequest("/ws", { "Content-Length": "1", "Transfer-Encoding": "chunked" }), 400],
    ["HTTP/2 with prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
    ["TLS", Buffer.from("16030100c8010000c403035f", "hex"), 400],
    ["another path", upgradeRequest("/other"), 404],
    ["a path below", upgradeRequest("/ws/"), 404],
    ["a path in capitals", upgradeRequest("/WS"), 404],
    ["an escaped path", upgradeRequest("/%77s"), 404],
    ["a path with dots", upgradeRequest("/x/../ws"), 404],
    ["two slashes", upgradeRequest("//ws"), 400],
    ["an absolute target", upgradeRequest("http://localhost/ws"), 400],
    ["an asterisk", upgradeRequest("*"), 400],
    ["a token in the query", upgradeRequest("/ws?token=abc"), 400],
    ["an access token in the query", upgradeRequest("/ws?room_id=&access_token=abc"), 400],
    ["a session in the query", upgradeRequest("/ws?session=abc"), 400],
    ["a bad room", upgradeRequest("/ws?room_id=a%20b"), 400],
    ["a room with a line break", upgradeRequest("/ws?room_id=a%0d%0aPUB"), 400],
    ["two rooms", upgradeRequest("/ws?room_id=a&room_id=b"), 400],
    ["a name of 65 characters", upgradeRequest(`/ws?username=${"x".repeat(65)}`), 400],
    ["an avatar of 65 characters", upgradeRequest(`/ws?avatar_id=${"x".repeat(65)}`), 400],
  ])("refuses %s", async (_, request, status) => {
    const before = listener.accepted.length;
    expect((await sendRaw(listener.port, request)).status).toBe(status);
    expect(listener.accepted.length).toBe(before);
  });

  it.each([
    ["another host", "https://evil.io"],
    ["null", "null"],
    ["an allowed origin as a prefix", "https://app.example.com.evil.io"],
    ["an allowed origin as a path", "https://evil/app.example.com"],
    ["a path behind it", "https://app.example.com/"],
    ["another port", "https://app.example.com:8443"],
    ["another scheme", "http://app.example.com"],
    ["other capitals", "https://App.example.com"],
    ["the host without a scheme", "edge.example.com"],
    ["its own host by https", "https://edge.example.com"],
    ["its own host at another port", "http://edge.example.com:81"],
    ["nothing", ""],
  ])("refuses the origin %s", async (_, origin) => {
    const request = upgradeRequest("/ws", { Host: "edge.example.com", Origin: origin });
    expect((await sendRaw(open.port, request)).status).toBe(403);
  });

  it("refuses two origins", async () => {
    const request = upgradeRequest("/ws", { Host: "edge.example.com", Origin: [APP, "https://evil.io"] });
    expect((await sendRaw(open.port, request)).status).toBe(403);
  });

  it.each([
    ["no origin", { Host: "edge.example.com" }],
    ["the allowed origin", { Host: "edge.example.com", Origin: APP }],
    ["its own origin", { Host: "edge.example.com", Origin: "http://edge.example.com" }],
    ["its own origin, default port", { Host: "edge.example.com:80", Origin: "http://edge.example.com" }],
    ["its own origin, other capitals", { Host: "Edge.Example.com:3000", Origin: "http://edge.example.com:3000" }],
  ])("takes %s", async (_, headers) => {
    expect((await sendRaw(open.port, upgradeRequest("/ws", headers))).status).toBe(101);
  });

  it("takes any origin when told so, but null is none", async () => {
    await using any = await startListener({ allowedOrigins: ["*"] });
    expect((await sendRaw(any.port, upgradeRequest("/ws", { Origin: "https://evil.io" }))).status).toBe(101);
    expect((await sendRaw(any.port, upgradeRequest("/ws", { Origin: "null" }))).status).toBe(403);
  });

  it.each(["localhost", "LOCALHOST:3000", "127.0.0.1", "127.0.0.1:65535", "[::1]:3000"])(
    "answers as %s on the loopback",
    async (host) => {
      expect((await sendRaw(listener.port, upgradeRequest("/ws", { Host: host }))).status).toBe(101);
    },
  );

  it("says which version it speaks, and how to go on", async () => {
    const version = await sendRaw(listener.port, upgradeRequest("/ws", { "Sec-WebSocket-Version": "8" }));
    expect(version.headers.get("sec-websocket-version")).toBe("13");
    const plain = await sendRaw(listener.port, "GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect(plain).toMatchObject({ status: 426, body: expect.stringContaining("WebSocket") });
    expect(plain.headers.get("upgrade")).toBe("websocket");
    const post = await sendRaw(listener.port, upgradeRequest("/ws", {}, { method: "POST" }));
    expect(post.headers.get("allow")).toBe("GET");
    const token = await sendRaw(listener.port, upgradeRequest("/ws?token=abc"));
    expect(token.body).toContain("login");
    expect(token.headers.get("x-content-type-options")).toBe("nosniff");
  });

  it("selects its subprotocol, never a secret, and none when none is offered", async () => {
    const offered = await sendRaw(listener.port, withProtocols(`bearer.${JWT}, baccarat.v1.json`));
    expect(offered.status).toBe(101);
    expect(offered.headers.get("sec-websocket-protocol")).toBe("baccarat.v1.json");
    expect(listener.accepted.at(-1)).toMatchObject({ bearer: JWT, session: undefined });
    const none = await sendRaw(listener.port, upgradeRequest());
    expect(none.headers.has("sec-websocket-protocol")).toBe(false);
    expect(none.headers.has("sec-websocket-extensions")).toBe(false);
  });

  it("takes 16 subprotocols, split over headers", async () => {
    const request = upgradeRequest("/ws", { "Sec-WebSocket-Protocol": [list(15), "baccarat.v1.json"] });
    expect((await sendRaw(listener.port, request)).status).toBe(101);
  });

  it("is not impressed by a header named __proto__", async () => {
    const request = upgradeRequest("/ws", { ["__proto__" as string]: "x", constructor: "y" });
    expect(request).toContain("__proto__: x");
    expect((await sendRaw(listener.port, request)).status).toBe(101);
  });
});

describe("checkUpgrade", () => {
  const options = { allowedOrigins: [], scheme: "http", loopbackOnly: true } as const;

  function check(url: string, headers: Readonly<Record<string, string>> = {}) {
    const all = {
      host: "localhost",
      connection: "keep-alive, Upgrade",
      upgrade: "WebSocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      ...headers,
    };
    return checkUpgrade({ method: "GET", url, httpVersion: "1.1", rawHeaders: Object.entries(all).flat() }, options);
  }

  it.each([
    ["/ws", { roomId: undefined, username: "", avatarId: "" }],
    ["/ws?", { roomId: undefined }],
    ["/ws?room_id=", { roomId: "" }],
    ["/ws?room_id", { roomId: "" }],
    ["/ws?room_id=general", { roomId: "general" }],
    ["/ws?room_id=a%3Ab", { roomId: "a:b" }],
    ["/ws?room_id=direct:ann:bob", { roomId: "direct:ann:bob" }],
    ["/ws?username=percy+p&avatar_id=%F0%9F%90%B1", { username: "percy p", avatarId: "🐱" }],
    [`/ws?username=${"%F0%9F%90%B1".repeat(64)}`, { username: "🐱".repeat(64) }],
    ["/ws?a=1&username=x?y&b", { username: "x?y" }],
  ])("reads %s", (url, expected) => {
    expect(check(url)).toMatchObject({ ok: true, bearer: undefined, session: undefined, ...expected });
  });

  it.each([
    [{ authorization: `Bearer ${JWT}` }, { bearer: JWT, session: undefined }],
    [{ authorization: `bearer  ${JWT}` }, { bearer: JWT, session: undefined }],
    [{ authorization: "Basic YTpi" }, { bearer: undefined, session: undefined }],
    [{ "sec-websocket-protocol": `baccarat.v1.json,bearer.${JWT}` }, { bearer: JWT, session: undefined }],
    [{ "sec-websocket-protocol": "session.a.b\t,  baccarat.v1.json" }, { bearer: undefined, session: "a.b" }],
  ])("finds the credentials of %j", (headers, expected) => {
    expect(check("/ws", headers)).toMatchObject({ ok: true, ...expected });
  });

  it("never throws", () => {
    const text = fc.string({ unit: "binary" });
    const url = fc.oneof(
      text,
      fc.webUrl(),
      fc.webQueryParameters().map((query) => `/ws?${query}`),
    );
    const name = fc.constantFrom("host", "origin", "sec-websocket-protocol", "authorization", "connection", "upgrade");
    fc.assert(
      fc.property(url, fc.dictionary(name, text), (target, headers) => typeof check(target, headers).ok === "boolean"),
    );
  });
});

function withProtocols(protocols: string): string {
  return upgradeRequest("/ws", { "Sec-WebSocket-Protocol": protocols });
}

function list(length: number): string {
  return Array.from({ length }, (_, index) => `p${index}`).join(", ");
}
