import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { textFrame } from "../../../edge/frame-encoders.ts";
import { refuse } from "../../../edge/handshake.ts";
import { cidr } from "../../../services/config-values.ts";
import { DEFAULT_LIMITS } from "../../../services/limits.ts";
import { Metrics } from "../../../services/metrics.ts";
import { eventually, PATIENCE_MS, within } from "../../support/eventually.ts";
import { OPCODE, RawSocket } from "../../support/raw-socket.ts";
import { type Listener, sendRaw, startListener, upgradeRequest } from "./edge-listener.ts";

const WEB = mkdtempSync(join(tmpdir(), "page-"));
for (const [name, text] of [
  ["index.html", `<!doctype html><title>A page</title><p>${"It is longer than a heartbeat. ".repeat(5)}</p>`],
  ["duo.html", "<!doctype html><title>Another</title>"],
  ["app.js", "export {};"],
  ["style.css", "body {}"],
  ["favicon.svg", "<svg/>"],
] as const) {
  writeFileSync(join(WEB, name), text);
}
afterAll(() => rmSync(WEB, { recursive: true }));

describe("the edge's listener", () => {
  it("answers 429 to whom asks too often, whatever it asks, and says when to come back", async () => {
    const limits = { ...DEFAULT_LIMITS, upgradeBurstPerIp: 3, upgradesPerSecondPerIp: 1 };
    await using listener = await startListener({ limits });
    const statuses: number[] = [];
    for (const target of ["/ws", "/nothing", "/ws"]) {
      statuses.push((await sendRaw(listener.port, upgradeRequest(target))).status);
    }
    expect(statuses).toEqual([101, 404, 101]);
    const refused = await sendRaw(listener.port, upgradeRequest());
    expect(refused).toMatchObject({ status: 429, body: "too many upgrades from your address\n" });
    expect(refused.headers.get("retry-after")).toBe("1");
    const later = async () => (await sendRaw(listener.port, upgradeRequest())).status === 101;
    await eventually("a token to come back", later);
  });

  it("hands over the WebSocket, its socket and what the client said", async () => {
    const received: string[] = [];
    await using listener = await startListener({
      onConnection: (webSocket, socket, accepted) => {
        webSocket.on("message", (data) => received.push(String(data)));
        for (const size of [0, 125, 126, 65_535, 65_536, 200_000]) socket.write(textFrame("é".repeat(size)));
        socket.write(textFrame(JSON.stringify(accepted)));
      },
    });
    const client = new WebSocket(`ws://localhost:${listener.port}/ws?room_id=lobby&username=percy`, "baccarat.v1.json");
    const texts: string[] = [];
    client.on("message", (data) => texts.push(String(data)));
    client.on("open", () => client.send("hello"));
    await eventually("seven frames and a hello", () => texts.length === 7 && received.length === 1);
    expect(texts.slice(0, 6).map((text) => text.length)).toEqual([0, 125, 126, 65_535, 65_536, 200_000]);
    expect(JSON.parse(texts[6] ?? "")).toMatchObject({ roomId: "lobby", username: "percy", address: "127.0.0.1" });
    expect(client.protocol).toBe("baccarat.v1.json");
    expect(client.extensions).toBe("");
    client.terminate();
  });

  it("counts connections, and refuses those above a cap until others have gone", async () => {
    const metrics = new Metrics();
    await using listener = await startListener({
      metrics,
      trustProxy: [cidr("127.0.0.1")],
      limits: { ...DEFAULT_LIMITS, maxConnections: 3, maxConnectionsPerIp: 2 },
    });
    const first = await open(listener, "203.0.113.1");
    await open(listener, "203.0.113.1");
    const perAddress = await ask(listener, "203.0.113.1");
    expect(perAddress.status).toBe(429);
    expect(perAddress.headers.get("retry-after")).toBe("10");
    await open(listener, "203.0.113.2");
    expect(listener.server.connections).toBe(3);
    const total = await ask(listener, "203.0.113.3");
    expect(total.status).toBe(503);
    expect(total.headers.get("retry-after")).toBe("10");
    first.terminate();
    await eventually("the first connection to be gone", () => listener.server.connections === 2);
    await open(listener, "203.0.113.1");
    const { text } = await metrics.render();
    expect(text).toContain('baccarat_refused_total{status="429"} 1');
    expect(text).toContain('baccarat_refused_total{status="503"} 1');
  });

  it("refuses who comes when too many wait for their handshake, and says when to come back", async () => {
    await using listener = await startListener({ maxUpgradesWaiting: 0 });
    const answer = await sendRaw(listener.port, upgradeRequest());
    expect(answer).toMatchObject({ status: 503, body: "too many clients connect at the moment\n" });
    expect(answer.headers.get("retry-after")).toBe("1");
  });

  it("takes the address from a trusted proxy only", async () => {
    await using listener = await startListener();
    await open(listener, "203.0.113.1");
    expect(listener.accepted[0]?.address).toBe("127.0.0.1");
  });

  it("lets its owner refuse", async () => {
    await using listener = await startListener({ admit: () => refuse(503, "draining", { "Retry-After": "1" }) });
    const answer = await sendRaw(listener.port, upgradeRequest());
    expect(answer).toMatchObject({ status: 503, body: "draining\n" });
    expect(answer.headers.get("retry-after")).toBe("1");
    expect(listener.server.connections).toBe(0);
  });

  it.each([
    ["a message over the limit", (raw: RawSocket) => raw.frame(OPCODE.text, "x".repeat(65_537)), 1009],
    ["a thousand and one fragments", sendFragments, 1008],
    ["an unmasked frame", (raw: RawSocket) => raw.frame(OPCODE.text, "x", { mask: false }), 1002],
    ["bad UTF-8", (raw: RawSocket) => raw.frame(OPCODE.text, Buffer.from([0xff, 0xfe])), 1007],
  ])("ends a connection that sends %s, and no other", async (_, misbehave, code) => {
    await using listener = await startListener();
    const other = await open(listener, "203.0.113.1");
    await using raw = await RawSocket.upgrade(`http://127.0.0.1:${listener.port}`);
    misbehave(raw);
    expect(await raw.closeCode()).toBe(code);
    await raw.ended();
    await eventually("the connection to be uncounted", () => listener.server.connections === 1);
    expect(other.readyState).toBe(WebSocket.OPEN);
  });

  it("survives clients that break off", async () => {
    await using listener = await startListener();
    for (const bytes of [upgradeRequest().slice(0, 40), upgradeRequest(), upgradeRequest("/nowhere"), "\x81"]) {
      const socket = connect(listener.port, "127.0.0.1");
      await once(socket, "connect");
      socket.write(bytes, () => socket.resetAndDestroy());
      await once(socket, "close");
    }
    await eventually("nobody to be left", () => listener.server.connections === 0);
    await open(listener, "203.0.113.1");
  });

  it("does not wait for slow requests, nor for silence", async () => {
    await using listener = await startListener({ timeouts: { headers: 200, request: 400, check: 50 } });
    const slow = await sendRaw(listener.port, upgradeRequest().slice(0, 60));
    expect(slow.status).toBe(408);
    const silent = connect(listener.port, "127.0.0.1").resume();
    await within(PATIENCE_MS, "the end of a silent connection", once(silent, "close"));
    await open(listener, "203.0.113.1");
  });

  it("stops listening at once, and leaves open WebSockets to their owner", async () => {
    await using listener = await startListener();
    const client = await open(listener, "203.0.113.1");
    listener.server.close();
    listener.server.close({ graceful: false });
    await expect(sendRaw(listener.port, upgradeRequest())).resolves.toMatchObject({ status: 0 });
    const [server] = listener.webSockets;
    const answer = once(client, "message");
    server?.send("still here");
    expect(String((await within(PATIENCE_MS, "a message", answer))[0])).toBe("still here");
  });

  it("ends silent connections when closed without grace", async () => {
    await using listener = await startListener();
    const silent = connect(listener.port, "127.0.0.1").resume();
    await once(silent, "connect");
    silent.write("GET / HTTP/1.1\r\nHost:");
    await sendRaw(listener.port, upgradeRequest("/nowhere")); // by now the silent one was accepted
    listener.server.close({ graceful: false });
    await within(PATIENCE_MS, "the end of a silent connection", once(silent, "close"));
  });

  it("says so when the port is taken", async () => {
    await using listener = await startListener();
    await expect(startListener({ port: listener.port })).rejects.toThrow("EADDRINUSE");
  });

  it("says where it is", async () => {
    await using listener = await startListener({ host: "localhost" });
    expect(listener.server.url).toBe(`http://localhost:${listener.port}`);
  });
});

describe("the page", () => {
  it("is served at / and nowhere else, with a policy that lets nothing else in", async () => {
    await using listener = await startListener({ staticDir: WEB });
    const page = await get(listener, "/");
    expect(page.status).toBe(200);
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(page.body).toContain("<!doctype html>");
    expect(page.body).not.toMatch(/<style|style=|<script>|\son\w+=/);
    const policy = page.headers.get("content-security-policy");
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain("unsafe");
    expect(page.headers.get("x-content-type-options")).toBe("nosniff");
    expect(page.headers.get("referrer-policy")).toBe("no-referrer");
    for (const [path, type] of [
      ["/app.js?v=1", "text/javascript; charset=utf-8"],
      ["/duo", "text/html; charset=utf-8"],
      ["/style.css", "text/css; charset=utf-8"],
      ["/favicon.svg", "image/svg+xml"],
    ] as const) {
      const file = await get(listener, path);
      expect(file.status, path).toBe(200);
      expect(file.headers.get("content-type")).toBe(type);
    }
  });

  it("is not sent again to whoever has it", async () => {
    await using listener = await startListener({ staticDir: WEB });
    const etag = (await get(listener, "/")).headers.get("etag") ?? "";
    const again = await get(listener, "/", `If-None-Match: "other", W/${etag}\r\n`);
    expect(again).toMatchObject({ status: 304, body: "" });
    expect(again.headers.get("etag")).toBe(etag);
    expect((await get(listener, "/", 'If-None-Match: "other"\r\n')).status).toBe(200);
  });

  it("answers HEAD without a body, and no other method", async () => {
    await using listener = await startListener({ staticDir: WEB });
    const head = await sendRaw(listener.port, "HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    expect(head).toMatchObject({ status: 200, body: "" });
    expect(Number(head.headers.get("content-length"))).toBeGreaterThan(100);
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"]) {
      const answer = await sendRaw(
        listener.port,
        `${method} / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      );
      expect(answer.status, method).toBe(405);
      expect(answer.headers.get("allow")).toBe("GET, HEAD");
    }
  });

  it.each([
    "/index.html/",
    "/../package.json",
    "/..%2fpackage.json",
    "/%2e%2e/package.json",
    "/....//package.json",
    "/\\..\\package.json",
    "//app.js",
    "/app.js/../../package.json",
    "/app.js%00.html",
    "/constructor",
    "/__proto__",
    "/metrics",
    "/baccarat.v1.RoomService/ListRooms",
  ])("has nothing at %s", async (path) => {
    await using listener = await startListener({ staticDir: WEB });
    expect((await get(listener, path)).status).toBe(404);
  });

  it("is not shown under a foreign name", async () => {
    await using listener = await startListener({ staticDir: WEB });
    const answer = await sendRaw(listener.port, "GET / HTTP/1.1\r\nHost: evil.io\r\nConnection: close\r\n\r\n");
    expect(answer.status).toBe(421);
  });
});

async function open(listener: Listener, forwardedFor: string): Promise<WebSocket> {
  const client = new WebSocket(`ws://localhost:${listener.port}/ws`, { headers: { "X-Forwarded-For": forwardedFor } });
  await within(PATIENCE_MS, "a WebSocket to open", once(client, "open"));
  return client;
}

function ask(listener: Listener, forwardedFor: string) {
  return sendRaw(listener.port, upgradeRequest("/ws", { "X-Forwarded-For": forwardedFor }));
}

function get(listener: Listener, path: string, headers = "") {
  return sendRaw(listener.port, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${headers}\r\n`);
}

function sendFragments(raw: RawSocket): void {
  raw.frame(OPCODE.text, "x", { fin: false });
  for (let index = 0; index < 1_000; index++) raw.frame(0, "x", { fin: false });
}
