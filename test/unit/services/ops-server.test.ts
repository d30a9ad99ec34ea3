import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { Metrics } from "../../../services/metrics.ts";
import { type OpsServer, type Probe, startOpsServer } from "../../../services/ops-server.ts";

describe("startOpsServer", () => {
  let server: OpsServer | undefined;
  afterEach(() => server?.close());

  async function start(probes: readonly Probe[] = [], metrics = new Metrics()): Promise<string> {
    server = await startOpsServer({ host: "127.0.0.1", port: 0, metrics, probes });
    return `http://127.0.0.1:${server.port}`;
  }

  it("is alive", async () => {
    const response = await fetch(`${await start()}/livez`);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("ok\n");
  });

  it("is ready while no probe has a reason", async () => {
    let reasons: readonly string[] = [];
    const base = await start([() => [], () => reasons]);
    const ready = await fetch(`${base}/readyz`);
    expect(ready.status).toBe(200);
    expect(ready.headers.get("content-type")).toBe("application/json");
    expect(ready.headers.get("cache-control")).toBe("no-store");
    expect(await ready.json()).toEqual({ ready: true, reasons: [], warnings: [] });
    reasons = ["broker: no leader"];
    const red = await fetch(`${base}/readyz?verbose`);
    expect(red.status).toBe(503);
    expect(await red.json()).toEqual({ ready: false, reasons: ["broker: no leader"], warnings: [] });
  });

  it("lists every reason once, in the order of the probes", async () => {
    const response = await fetch(`${await start([() => ["a", "b"], () => [], () => ["b", "c"]])}/readyz`);
    expect(await response.json()).toEqual({ ready: false, reasons: ["a", "b", "c"], warnings: [] });
  });

  it("tells warnings without being less ready", async () => {
    server = await startOpsServer({
      host: "127.0.0.1",
      port: 0,
      metrics: new Metrics(),
      probes: [],
      warnings: [() => ["nats-server 2.9.10 has known faults in a cluster"], () => []],
    });
    const response = await fetch(`http://127.0.0.1:${server.port}/readyz`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      ready: true,
      reasons: [],
      warnings: ["nats-server 2.9.10 has known faults in a cluster"],
    });
    const numbers = await fetch(`http://127.0.0.1:${server.port}/metrics`);
    expect(await numbers.text()).toMatch(/^baccarat_warnings 1$/m);
  });

  it("says when everything was started", async () => {
    let done = false;
    const metrics = new Metrics();
    server = await startOpsServer({ host: "127.0.0.1", port: 0, metrics, probes: [], started: () => done });
    const url = `http://127.0.0.1:${server.port}/startupz`;
    expect((await fetch(url)).status).toBe(503);
    done = true;
    expect((await fetch(url)).status).toBe(200);
  });

  it("shows metrics", async () => {
    const metrics = new Metrics();
    metrics.connectionsTotal.inc(7);
    const response = await fetch(`${await start([], metrics)}/metrics`);
    expect(response.headers.get("content-type")).toContain("text/plain; version=0.0.4");
    expect(await response.text()).toContain("baccarat_connections_total 7");
  });

  it.each([
    ["GET", "/", 404],
    ["GET", "/livez/", 404],
    ["GET", "/constructor", 404],
    ["POST", "/livez", 405],
    ["DELETE", "/metrics", 405],
    ["HEAD", "/readyz", 200],
  ])("%s %s: %i", async (method, path, status) => {
    expect((await fetch(`${await start()}${path}`, { method })).status).toBe(status);
  });

  it.each([
    ["localhost", 200],
    ["127.0.0.1:9090", 200],
    ["[::1]:9090", 200],
    ["rebound.evil.example", 421],
    ["localhost.evil.example", 421],
    ["127.0.0.1@evil.example", 421],
  ])("answers to the name %j with %i", async (host, status) => {
    for (const path of ["/metrics", "/readyz", "/livez"]) {
      const asked = request(`${await start()}${path}`, { headers: { host } }).end();
      const [response] = (await once(asked, "response")) as [IncomingMessage];
      response.resume();
      expect(response.statusCode).toBe(status);
      await server?.close();
    }
  });

  it("answers probes that name no host", async () => {
    const socket = connect(Number(new URL(await start()).port), "127.0.0.1");
    socket.write("GET /livez HTTP/1.0\r\n\r\n");
    expect(Buffer.concat(await socket.toArray()).toString()).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("closes with connections open", async () => {
    const base = await start();
    const socket = connect(Number(new URL(base).port), "127.0.0.1");
    await once(socket, "connect");
    const closed = once(socket, "close");
    socket.resume();
    await server?.close();
    await closed;
    await expect(fetch(`${base}/livez`)).rejects.toThrow();
  });

  it("says when the port is taken", async () => {
    const { port } = new URL(await start());
    const second = startOpsServer({ host: "127.0.0.1", port: Number(port), metrics: new Metrics(), probes: [] });
    await expect(second).rejects.toMatchObject({ code: "EADDRINUSE" });
  });
});
