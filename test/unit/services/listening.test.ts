import { once } from "node:events";
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { type Config, type Environment, parseConfig, type Role } from "../../../services/config.ts";
import { banner, describeListening, explainListenError } from "../../../services/listening.ts";

function config(env: Environment = {}, role: Role = "all"): Config {
  const parsed = parseConfig(env, role);
  if (!parsed.ok) throw new Error(parsed.mistakes.join("\n"));
  return parsed.config;
}

const CLUSTER = { NATS_URL: "nats://user:hunter2@a:4222,b:4222", ROOM_SERVICE_URL: "http://r" };

describe("describeListening", () => {
  it("tells of everything in role all", () => {
    expect(describeListening(config(), { edge: 3000, rpc: 8080, ops: 9090 }, "/srv/data")).toEqual({
      page: "http://127.0.0.1:3000/",
      websocket: "ws://127.0.0.1:3000/ws",
      auth: "guest",
      rpc: "http://127.0.0.1:8080",
      ops: "http://127.0.0.1:9090",
      dataDir: "/srv/data",
    });
  });

  it("tells of the console where it is on: with tokens, or by ADMIN_CONSOLE", () => {
    const shown = (env: Environment) => describeListening(config(env), { edge: 1, rpc: 2, ops: 3 }, "").console;
    const RPC_TOKENS = "ops:admin:a-secret-of-thirty-two-bytes-or-more";
    expect(shown({})).toBeUndefined();
    expect(shown({ RPC_TOKENS })).toBe("http://127.0.0.1:2/admin");
    expect(shown({ ADMIN_CONSOLE: "on" })).toBe("http://127.0.0.1:2/admin");
    expect(shown({ RPC_TOKENS, ADMIN_CONSOLE: "off" })).toBeUndefined();
  });

  it("tells of what a role runs, and no credentials", () => {
    const nats = ["nats://a:4222", "nats://b:4222"];
    expect(describeListening(config(CLUSTER, "edge"), { edge: 1, rpc: undefined, ops: 2 }, "")).toEqual({
      page: "http://127.0.0.1:1/",
      websocket: "ws://127.0.0.1:1/ws",
      auth: "guest",
      ops: "http://127.0.0.1:2",
      nats,
    });
    expect(describeListening(config(CLUSTER, "room"), { edge: undefined, rpc: 1, ops: 2 }, "")).toEqual({
      rpc: "http://127.0.0.1:1",
      ops: "http://127.0.0.1:2",
      nats,
    });
  });

  it.each([
    ["::1", "[::1]"],
    ["::", "localhost"],
    ["0.0.0.0", "localhost"],
    ["10.1.2.3", "10.1.2.3"],
  ])("writes EDGE_HOST=%s as %s", (host, shown) => {
    const listening = describeListening(config({ EDGE_HOST: host }), { edge: 1, rpc: 2, ops: 3 }, "");
    expect(listening.page).toBe(`http://${shown}:1/`);
  });
});

describe("banner", () => {
  it("has every address, how to stop, and a word about guests", () => {
    const text = banner("all", describeListening(config(), { edge: 1, rpc: 2, ops: 3 }, "/srv/data"));
    for (const part of [
      "http://127.0.0.1:1/",
      "ws://127.0.0.1:1/ws",
      "http://127.0.0.1:2",
      "http://127.0.0.1:3",
      "/srv/data",
      "Ctrl-C",
      "Guest mode",
    ]) {
      expect(text).toContain(part);
    }
  });

  it("does not mention guests where there are none", () => {
    const jwt = config({ AUTH_MODE: "jwt", JWT_SECRET: "s" });
    expect(banner("all", describeListening(jwt, { edge: 1, rpc: 2, ops: 3 }, ""))).not.toContain("Guest");
    expect(
      banner("room", describeListening(config(CLUSTER, "room"), { edge: undefined, rpc: 2, ops: 3 }, "")),
    ).not.toContain("Guest");
  });
});

describe("explainListenError", () => {
  async function listenError(port: number, host: string): Promise<unknown> {
    const server = createServer();
    const failed = once(server, "error");
    server.listen(port, host);
    return (await failed)[0];
  }

  it("names the variable of a taken port", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const { port } = holder.address() as { port: number };
    const error = await listenError(port, "127.0.0.1");
    expect(explainListenError(error, config({ RPC_PORT: String(port) }))).toBe(
      `port ${port} on 127.0.0.1 is taken: stop whoever has it, or set RPC_PORT`,
    );
    holder.close();
  });

  it("names the variable of an address that is not this machine's", async () => {
    const error = await listenError(3000, "192.0.2.1");
    expect(explainListenError(error, config({ EDGE_HOST: "192.0.2.1" }))).toContain("set EDGE_PORT or EDGE_HOST");
  });

  it("explains a port that needs privileges", () => {
    const error = Object.assign(new Error(), { syscall: "listen", code: "EACCES", port: 80, address: "127.0.0.1" });
    expect(explainListenError(error, config({ EDGE_PORT: "80" }))).toContain(
      "not allowed for this user: set EDGE_PORT",
    );
  });

  it("explains an unknown host name", () => {
    const error = Object.assign(new Error(), { syscall: "getaddrinfo", code: "ENOTFOUND", hostname: "nope.invalid" });
    expect(explainListenError(error, config({ OPS_HOST: "nope.invalid" }))).toContain("set OPS_HOST");
  });

  it("leaves other errors to others", () => expect(explainListenError(new Error("bug"), config())).toBeUndefined());
});
