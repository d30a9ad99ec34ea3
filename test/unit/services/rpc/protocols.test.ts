import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Client, Code, ConnectError, type ConnectRouter, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { AdminService } from "../../../../gen/baccarat/v1/admin_service_pb.ts";
import { EdgeService } from "../../../../gen/baccarat/v1/edge_service_pb.ts";
import { ErrorInfoSchema, ErrorReason } from "../../../../gen/baccarat/v1/errors_pb.ts";
import { RoomService } from "../../../../gen/baccarat/v1/room_service_pb.ts";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../../../gen/health/v1/health_pb.ts";
import { RoomError } from "../../../../services/errors.ts";
import { bearer, startRpc, TOKENS } from "./rpc-fixture.ts";

const BUF = join(import.meta.dirname, "../../../../node_modules/.bin/buf");
const run = promisify(execFile);

const routes = (router: ConnectRouter) =>
  router
    .service(RoomService, {
      getRoom({ roomId }) {
        if (roomId !== "general") throw new RoomError("room_not_found", "no such room");
        return { room: { roomId, title: "General" } };
      },
    })
    .service(AdminService, { getStats: () => ({ epoch: "e" }) })
    .service(EdgeService, {
      async *attach(requests) {
        for await (const { hello } of requests)
          yield { updates: [{ update: { case: "attached", value: { epoch: hello?.edgeId ?? "" } } }] };
      },
    });

const TRANSPORTS: readonly [name: string, make: (baseUrl: string) => Transport][] = [
  [
    "Connect, JSON, HTTP/1.1",
    (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
  ],
  ["Connect, binary, HTTP/1.1", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" })],
  ["Connect by GET", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useHttpGet: true })],
  ["Connect, JSON, HTTP/2", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: false })],
  ["Connect, binary, HTTP/2", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" })],
  ["gRPC-Web, HTTP/1.1", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
  [
    "gRPC-Web, JSON, HTTP/2",
    (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "2", useBinaryFormat: false }),
  ],
  ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
];

describe.each(TRANSPORTS)("%s", (name, make) => {
  it("answers calls, errors with their details, and streams", async () => {
    await using rpc = await startRpc(routes);
    const transport = make(rpc.url);
    const rooms = createClient(RoomService, transport);
    expect((await rooms.getRoom({ roomId: "general" })).room).toMatchObject({ roomId: "general", title: "General" });

    const error = await rooms
      .getRoom({ roomId: "nowhere" })
      .then(() => new ConnectError("it succeeded"), ConnectError.from);
    expect(error.code).toBe(Code.NotFound);
    expect(error.findDetails(ErrorInfoSchema)[0]).toMatchObject({ reason: ErrorReason.ROOM_NOT_FOUND });

    const watch = createClient(Health, transport).watch({})[Symbol.asyncIterator]();
    expect((await watch.next()).value).toMatchObject({ status: Status.SERVING });
    await watch.return?.();
  });

  it("streams both ways over HTTP/2, and says that HTTP/1.1 cannot", async () => {
    await using rpc = await startRpc(routes);
    const attached = readAll(createClient(EdgeService, make(rpc.url)));
    if (name.includes("HTTP/1.1") || name.includes("GET")) await expect(attached).rejects.toThrow();
    else expect(await attached).toEqual(["one", "two"]);
  });
});

describe("all protocols at once", () => {
  it("share the port", async () => {
    await using rpc = await startRpc(routes);
    const clients = TRANSPORTS.map(([, make]) => createClient(RoomService, make(rpc.url)));
    const calls = Array.from({ length: 10 }, () =>
      clients.map((client) => client.getRoom({ roomId: "general" })),
    ).flat();
    const titles = (await Promise.all(calls)).map(({ room }) => room?.title);
    expect(titles).toEqual(Array.from({ length: 80 }, () => "General"));
  });
});

describe("buf curl without a schema", () => {
  it.each(["connect", "grpc", "grpcweb"])("calls by %s over h2c", async (protocol) => {
    await using rpc = await startRpc(routes, { tokens: TOKENS });
    const flags = ["curl", "--http2-prior-knowledge", "--reflect", "--protocol", protocol];
    const header = ["-H", `Authorization: ${bearer("reader")}`];
    const url = `${rpc.url}/baccarat.v1.RoomService/GetRoom`;
    const { stdout } = await run(BUF, [...flags, ...header, "-d", '{"roomId":"general"}', url]);
    expect(JSON.parse(stdout)).toEqual({ room: { roomId: "general", title: "General" } });

    const failed = run(BUF, [...flags, "-d", '{"roomId":"general"}', url]);
    await expect(failed).rejects.toThrow(/"code": "unauthenticated".*"type": "baccarat.v1.ErrorInfo"/s);
  });

  it("lists methods", async () => {
    await using rpc = await startRpc(routes);
    const { stdout } = await run(BUF, ["curl", "--http2-prior-knowledge", "--list-methods", rpc.url]);
    expect(stdout.split("\n")).toEqual(
      expect.arrayContaining(["baccarat.v1.RoomService/GetRoom", "grpc.health.v1.Health/Check"]),
    );
  });
});

async function readAll(client: Client<typeof EdgeService>): Promise<string[]> {
  const received: string[] = [];
  async function* hellos() {
    yield { hello: { edgeId: "one" } };
    yield { hello: { edgeId: "two" } };
  }
  for await (const { updates } of client.attach(hellos())) {
    for (const { update } of updates) if (update.case === "attached") received.push(update.value.epoch);
  }
  return received;
}
