import { request as httpRequest } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import type { ConnectRouter } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { AdminService } from "../../../../gen/baccarat/v1/admin_service_pb.ts";
import { EdgeService } from "../../../../gen/baccarat/v1/edge_service_pb.ts";
import { RoomService } from "../../../../gen/baccarat/v1/room_service_pb.ts";
import { callerKey } from "../../../../services/room/rpc/credentials.ts";
import { METHODS } from "../../../../services/room/rpc/methods.ts";
import { bearer, errorInfo, type RpcFixture, readJson, startRpc, TOKENS } from "./rpc-fixture.ts";

/** Answers with who called, in a field that can hold it. */
const routes = (router: ConnectRouter) =>
  router
    .service(RoomService, {
      getRoom: (_, { values }) => ({ room: { title: values.get(callerKey).name } }),
      sendMessage: (_, { values }) => ({ message: { uid: values.get(callerKey).name } }),
      deleteRoom: () => ({}),
    })
    .service(AdminService, { getStats: () => ({}), broadcastNotice: () => ({}) })
    .service(EdgeService, {
      async *attach(requests) {
        for await (const _ of requests) yield {};
      },
    });

describe("authentication", () => {
  it.each([
    ["no token", {}],
    ["another scheme", { authorization: "Basic b3BzOnNlY3JldA==" }],
    ["no secret", { authorization: "Bearer " }],
    ["two secrets", { authorization: `${bearer("ops")} ${bearer("ops")}` }],
    ["an unknown secret", { authorization: "Bearer ops-secret-0123456789abcdef012345679" }],
    [
      "the whole entry in place of the secret",
      { authorization: "Bearer ops:admin:ops-secret-0123456789abcdef012345678" },
    ],
    ["a secret in upper case", { authorization: bearer("ops").toUpperCase() }],
  ])("refuses %s", async (_, headers) => {
    await using rpc = await startRpc(routes, { tokens: TOKENS });
    const { status, body } = await rpc.post("RoomService/GetRoom", { room_id: "a" }, headers);
    expect(status).toBe(401);
    expect(body.code).toBe("unauthenticated");
    expect(errorInfo(body)).toMatchObject({ reason: "ERROR_REASON_UNAUTHENTICATED", retryable: false });
    expect(JSON.stringify(body) + rpc.logged.join("")).not.toMatch(/secret-0123/);
    expect(rpc.calls).toEqual([{ method: "baccarat.v1.RoomService/GetRoom", code: "unauthenticated" }]);
  });

  it("ignores a token in the query", async () => {
    await using rpc = await startRpc(routes, { tokens: TOKENS });
    const [, secret = ""] = bearer("ops").split(" ");
    const query = `encoding=json&message={}&token=${secret}&access_token=${secret}`;
    const { status } = await readJson(await fetch(`${rpc.url}/baccarat.v1.RoomService/GetRoom?${query}`));
    expect(status).toBe(401);
  });

  it("knows each token by its name", async () => {
    await using rpc = await startRpc(routes, { tokens: TOKENS });
    for (const name of ["reader", "dealer", "ops"]) {
      const { body } = await rpc.post("RoomService/GetRoom", {}, { authorization: bearer(name) });
      expect(body.room).toMatchObject({ title: name });
    }
    const lower = await rpc.post(
      "RoomService/GetRoom",
      {},
      { authorization: bearer("ops").replace("Bearer", "bearer") },
    );
    expect(lower.status).toBe(200);
  });

  it("answers strangers before it reads their request", async () => {
    await using rpc = await startRpc(routes, { tokens: TOKENS });
    const session = connectHttp2(rpc.url);
    const stream = session.request({
      ":method": "POST",
      ":path": "/baccarat.v1.RoomService/GetRoom",
      "content-type": "application/json",
      "content-length": "1000",
    });
    stream.write("{");
    const status = await new Promise((resolve, reject) => {
      stream.on("response", (headers) => resolve(headers[":status"]));
      stream.on("error", reject);
    });
    expect(status).toBe(401);
    session.destroy();
  });

  it("does not start open to a network", async () => {
    await expect(startRpc(routes, { host: "0.0.0.0" })).rejects.toThrow("RPC on 0.0.0.0 needs RPC_TOKENS");
  });
});

describe("scopes", () => {
  const allowed: readonly [method: string, names: readonly string[]][] = [
    ["RoomService/GetRoom", ["reader", "dealer", "ops"]],
    ["AdminService/GetStats", ["reader", "dealer", "ops"]],
    ["RoomService/SendMessage", ["dealer", "ops"]],
    ["RoomService/DeleteRoom", ["ops"]],
    ["AdminService/BroadcastNotice", ["ops"]],
  ];

  it.each(allowed)("%s is for %s", async (method, names) => {
    await using rpc = await startRpc(routes, { tokens: TOKENS });
    for (const { name } of TOKENS) {
      const { status, body } = await rpc.post(method, {}, { authorization: bearer(name) });
      expect([name, status]).toEqual([name, names.includes(name) ? 200 : 403]);
      if (status === 403) {
        expect(errorInfo(body)).toMatchObject({
          reason: "ERROR_REASON_PERMISSION_DENIED",
          metadata: { scope: METHODS[`baccarat.v1.${method}`]?.scope },
        });
      }
    }
  });

  it("Attach is for edges alone", async () => {
    await using rpc = await startRpc(routes, { tokens: TOKENS });
    const session = connectHttp2(rpc.url);
    for (const { name } of TOKENS) {
      const stream = session.request({
        ":method": "POST",
        ":path": "/baccarat.v1.EdgeService/Attach",
        "content-type": "application/connect+json",
        authorization: bearer(name),
      });
      stream.end(Buffer.from([0, 0, 0, 0, 2, 0x7b, 0x7d]));
      const text = Buffer.concat(await stream.toArray()).toString();
      if (name === "edge-1") expect(text).not.toContain("error");
      else expect(text).toContain("permission_denied");
    }
    session.close();
  });
});

describe("without tokens", () => {
  it("everyone on this machine is the service `local`", async () => {
    await using rpc = await startRpc(routes);
    expect((await rpc.post("RoomService/GetRoom")).body.room).toMatchObject({ title: "local" });
    expect((await rpc.post("RoomService/DeleteRoom")).status).toBe(200);
  });

  it.each(["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:65535", "[::1]", "[::1]:80"])(
    "takes Host %s",
    async (host) => {
      await using rpc = await startRpc(routes);
      expect(await statusFor(rpc, { host })).toBe(200);
    },
  );

  it.each([
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example:8080",
    "127.0.0.2",
    "0.0.0.0",
    "localhost.",
  ])("misdirects Host %s, for health and reflection too", async (host) => {
    await using rpc = await startRpc(routes);
    expect(await statusFor(rpc, { host })).toBe(421);
    expect(await statusFor(rpc, { host }, "/grpc.health.v1.Health/Check")).toBe(421);
    expect(await statusFor(rpc, { host }, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")).toBe(421);
    expect(await http2Status(rpc, { ":authority": host })).toBe(421);
  });

  it("takes any Host once there are tokens", async () => {
    await using rpc = await startRpc(routes, { tokens: TOKENS });
    expect(await statusFor(rpc, { host: "rooms.example:8080", authorization: bearer("ops") })).toBe(200);
  });
});

describe("malformed hosts", () => {
  it.each(["[", "a b", "a/b", "user@localhost", "localhost:port", "localhost:99999"])(
    "answers Host %s with 400, and lives on",
    async (host) => {
      await using rpc = await startRpc(routes, { tokens: TOKENS });
      expect(await statusFor(rpc, { host, authorization: bearer("ops") })).toBe(400);
      expect(await statusFor(rpc, { host: "x", authorization: bearer("ops") })).toBe(200);
    },
  );

  it("answers two different hosts with 400", async () => {
    await using rpc = await startRpc(routes);
    expect(await http2Status(rpc, { ":authority": "localhost", host: "evil.example" })).toBe(400);
    expect(await http2Status(rpc, { ":authority": "localhost", host: "localhost" })).toBe(200);
  });
});

describe("origins", () => {
  const origins = (port: number): readonly [string, number][] => [
    [`http://127.0.0.1:${port}`, 200],
    ["https://app.example.com", 200],
    ["http://127.0.0.1:1", 403],
    ["http://localhost", 403],
    [`http://127.0.0.1:${port}/path`, 403],
    [`https://127.0.0.1:${port}`, 403],
    ["https://app.example.com.evil.example", 403],
    ["https://app.example.com:444", 403],
    ["http://app.example.com", 403],
    ["null", 403],
    ["", 403],
  ];

  it("lets pages of the same host and of allowed origins call, and sends no CORS headers ever", async () => {
    await using rpc = await startRpc(routes, { allowedOrigins: ["https://app.example.com"] });
    for (const [origin, expected] of origins(rpc.port)) {
      const { status, headers } = await rpc.post("RoomService/GetRoom", {}, { origin });
      expect([origin, status]).toEqual([origin, expected]);
      expect([...headers.keys()].filter((name) => name.startsWith("access-control-"))).toEqual([]);
    }
    const preflight = await fetch(`${rpc.url}/baccarat.v1.RoomService/GetRoom`, {
      method: "OPTIONS",
      headers: { origin: "https://app.example.com", "access-control-request-method": "POST" },
    });
    expect(preflight.status).toBe(405);
    expect(preflight.headers.get("access-control-allow-origin")).toBeNull();
  });
});

/** Status of a JSON request whose Host, unlike with fetch, can be chosen. */
function statusFor(
  rpc: RpcFixture,
  headers: Record<string, string>,
  path = "/baccarat.v1.RoomService/GetRoom",
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        port: rpc.port,
        host: "127.0.0.1",
        path,
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
      },
      (response) => {
        response.resume().on("end", () => resolve(response.statusCode));
      },
    );
    request.on("error", reject).end("{}");
  });
}

async function http2Status(rpc: RpcFixture, headers: Record<string, string>): Promise<number | undefined> {
  const session = connectHttp2(rpc.url);
  const stream = session.request({
    ":method": "POST",
    ":path": "/baccarat.v1.RoomService/GetRoom",
    "content-type": "application/json",
    ...headers,
  });
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  stream.on("response", (answer) => resolve(answer[":status"])).on("error", reject);
  stream.resume().end("{}");
  try {
    return await promise;
  } finally {
    session.close();
  }
}
