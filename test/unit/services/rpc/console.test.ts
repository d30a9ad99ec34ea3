import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConnectRouter } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AdminService } from "../../../../gen/baccarat/v1/admin_service_pb.ts";
import { bearer, startRpc, TOKENS } from "./rpc-fixture.ts";

const routes = (router: ConnectRouter) => router.service(AdminService, { getStats: () => ({ clients: 7 }) });

describe("the console's files", () => {
  let consoleDir = "";

  beforeAll(async () => {
    consoleDir = await mkdtemp(join(tmpdir(), "console-"));
    await mkdir(join(consoleDir, "assets"));
    await writeFile(join(consoleDir, "admin.html"), "<!doctype html><title>Console</title>");
    await writeFile(join(consoleDir, "theme.js"), "theme");
    await writeFile(join(consoleDir, "assets/admin-1a2b.js"), "export {};");
  });
  afterAll(() => rm(consoleDir, { recursive: true }));

  it("are served below /admin to anybody, with headers that keep scripts and frames of others out", async () => {
    await using rpc = await startRpc(routes, { tokens: TOKENS, consoleDir });
    for (const path of ["/admin", "/admin/", "/admin?x=1"]) {
      const page = await fetch(rpc.url + path);
      expect(page.status, path).toBe(200);
      expect(await page.text()).toContain("<title>Console</title>");
      expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
      expect(page.headers.get("cache-control")).toBe("no-cache");
      expect(page.headers.get("x-content-type-options")).toBe("nosniff");
      const policy = page.headers.get("content-security-policy") ?? "";
      for (const part of ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "form-action 'none'"]) {
        expect(policy).toContain(part);
      }
      expect(policy).not.toMatch(/unsafe|\*|https:/);
    }
    expect(await (await fetch(`${rpc.url}/admin/theme.js`)).text()).toBe("theme");
    const hashed = await fetch(`${rpc.url}/admin/assets/admin-1a2b.js`);
    expect(hashed.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    const unchanged = { "if-none-match": hashed.headers.get("etag") ?? "" };
    expect((await fetch(`${rpc.url}/admin/assets/admin-1a2b.js`, { headers: unchanged })).status).toBe(304);
    const head = await fetch(`${rpc.url}/admin`, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "37", ""]);
  });

  it("are served over HTTP/2, too", async () => {
    await using rpc = await startRpc(routes, { tokens: TOKENS, consoleDir });
    const session = connectHttp2(rpc.url);
    for (const [method, body] of [
      ["GET", "theme"],
      ["HEAD", ""],
    ]) {
      const stream = session.request({ ":path": "/admin/theme.js", ":method": method });
      const [headers] = (await once(stream, "response")) as [Record<string, string>];
      expect(headers[":status"]).toBe(200);
      expect(headers["content-length"]).toBe("5");
      let text = "";
      for await (const chunk of stream) text += String(chunk);
      expect(text).toBe(body);
    }
    session.close();
  });

  it("are not there where nothing is, nor for other methods, other hosts or pages of others", async () => {
    await using rpc = await startRpc(routes, { consoleDir });
    for (const path of ["/", "/theme.js", "/administration", "/admin/nothing", "/admin/..%2fpackage.json"]) {
      expect((await fetch(rpc.url + path)).status, path).toBe(404);
    }
    const posted = await fetch(`${rpc.url}/admin`, { method: "POST", body: "x" });
    expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    const foreign = await fetch(`${rpc.url}/admin`, { headers: { origin: "https://elsewhere.example" } });
    expect(foreign.status).toBe(403);
    // Without tokens the Host must be a name of this machine.
    const session = connectHttp2(rpc.url);
    const stream = session.request({ ":path": "/admin", ":authority": "rebound.example" });
    const [headers] = (await once(stream, "response")) as [Record<string, string>];
    expect(headers[":status"]).toBe(421);
    stream.close();
    session.close();
  });

  it("change no answer of the API", async () => {
    await using rpc = await startRpc(routes, { tokens: TOKENS, consoleDir });
    const answered = await rpc.post("AdminService/GetStats", {}, { authorization: bearer("ops") });
    expect(answered.body).toMatchObject({ clients: 7 });
    expect((await rpc.post("AdminService/GetStats")).status).toBe(401);
    expect((await rpc.post("AdminService/Nothing")).status).toBe(404);
  });

  it("are none where the console is off, which says so", async () => {
    await using rpc = await startRpc(routes, { tokens: TOKENS });
    const page = await fetch(`${rpc.url}/admin`);
    expect(page.status).toBe(404);
    expect(await page.text()).toContain("ADMIN_CONSOLE=on");
  });
});
