import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { gzipSync } from "node:zlib";
import { Code, ConnectError, type ConnectRouter, createClient, type HandlerContext } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { EdgeService } from "../../../../gen/baccarat/v1/edge_service_pb.ts";
import { ErrorInfoSchema, ErrorReason } from "../../../../gen/baccarat/v1/errors_pb.ts";
import { type GetRoomRequest, RoomService } from "../../../../gen/baccarat/v1/room_service_pb.ts";
import { REASONS, type Reason, RoomError } from "../../../../services/errors.ts";
import { eventually, PATIENCE_MS } from "../../../support/eventually.ts";
import { errorInfo, type RpcFixture, readJson, startRpc } from "./rpc-fixture.ts";

type GetRoom = (request: GetRoomRequest, context: HandlerContext) => Promise<object> | object;

/** A server whose GetRoom does what a test wants. */
const withGetRoom = (getRoom: GetRoom) => (router: ConnectRouter) => router.service(RoomService, { getRoom });
const GET_ROOM = "baccarat.v1.RoomService/GetRoom";
const OVER_1_MIB = "a".repeat(1024 * 1024);
const never = () => new Promise<never>(() => undefined);

describe("errors", () => {
  it.each(Object.keys(REASONS) as Reason[])("%s has the code of the registry and an ErrorInfo", async (reason) => {
    await using rpc = await startRpc(
      withGetRoom(() => {
        throw new RoomError(reason, "words", { retryAfterMs: 1.5, metadata: { field: "room_id" } });
      }),
    );
    const { body } = await rpc.post("RoomService/GetRoom");
    expect(body.message).toBe("words");
    expect(errorInfo(body)).toEqual({
      reason: `ERROR_REASON_${reason.toUpperCase()}`,
      domain: "baccarat.v1",
      metadata: { field: "room_id" },
      retryable: REASONS[reason].retryable,
      retry_after_ms: 2,
    });
    const error = await grpc(rpc)
      .getRoom({})
      .catch((failure: unknown) => ConnectError.from(failure));
    expect(error).toMatchObject({ code: REASONS[reason].rpc, rawMessage: "words" });
  });

  it("carries the ErrorInfo in binary to gRPC clients", async () => {
    await using rpc = await startRpc(
      withGetRoom(() => {
        throw new RoomError("rate_limited", "slow down", { retryAfterMs: 250 });
      }),
    );
    const error = await grpc(rpc)
      .getRoom({})
      .then(() => new ConnectError("it succeeded"), ConnectError.from);
    const [info] = error.findDetails(ErrorInfoSchema);
    expect(info).toMatchObject({ reason: ErrorReason.RATE_LIMITED, retryable: true, retryAfterMs: 250 });
  });

  it.each([
    ["an Error", () => new Error("password=hunter2 at /etc/secret")],
    ["a string", () => "hunter2"],
  ])("tells nothing of %s but a correlation id, and logs its cause under it", async (what, make) => {
    await using rpc = await startRpc(
      withGetRoom(() => {
        throw make();
      }),
    );
    const { status, body } = await rpc.post("RoomService/GetRoom");
    expect(status).toBe(500);
    expect(JSON.stringify(body), what).not.toContain("hunter2");
    const [, id = ""] = /^internal error, correlation id ([0-9a-f-]{36})$/.exec(body.message ?? "") ?? [];
    const line = rpc.logged.find((text) => text.includes(id)) ?? "";
    expect(JSON.parse(line)).toMatchObject({ level: "error", correlationId: id, method: GET_ROOM });
    expect(line).toContain("hunter2");
    expect(rpc.calls).toEqual([{ method: GET_ROOM, code: "internal" }]);
  });

  it("hides what fails in the middle of a stream, too", async () => {
    await using rpc = await startRpc((router) =>
      router.service(EdgeService, {
        async *attach() {
          yield {};
          throw new Error("hunter2");
        },
      }),
    );
    const stream = createClient(EdgeService, http2Transport(rpc)).attach(noRequests());
    const received: unknown[] = [];
    const error = await (async () => {
      for await (const message of stream) received.push(message);
    })().catch(ConnectError.from);
    expect(received).toHaveLength(1);
    expect(error).toMatchObject({ code: Code.Internal, rawMessage: expect.not.stringContaining("hunter2") });
  });
});

describe("requests", () => {
  it.each([
    ["no JSON", "{", 400, "invalid_argument", "INVALID_ARGUMENT"],
    ["JSON of the wrong type", '{"room_id": 5}', 400, "invalid_argument", "INVALID_ARGUMENT"],
    ["a body over 1 MiB", JSON.stringify({ room_id: OVER_1_MIB }), 429, "resource_exhausted", "MESSAGE_TOO_LARGE"],
  ])("answers %s", async (_, sent, status, code, reason) => {
    await using rpc = await startRpc(withGetRoom(() => ({})));
    const answer = await rpc.post("RoomService/GetRoom", sent);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(errorInfo(answer.body)).toMatchObject({ reason: `ERROR_REASON_${reason}`, retryable: false });
    expect(rpc.calls).toEqual([{ method: GET_ROOM, code }]);
  });

  it("describes its own errors to gRPC clients, too", async () => {
    await using rpc = await startRpc(withGetRoom(() => ({})));
    for (const call of [() => grpc(rpc).getRoom({ roomId: OVER_1_MIB }), () => grpc(rpc).createRoom({})]) {
      const error = await call().then(() => new ConnectError("it succeeded"), ConnectError.from);
      expect(error.findDetails(ErrorInfoSchema)).toHaveLength(1);
    }
  });

  it("counts the bytes a compressed body unfolds to", async () => {
    await using rpc = await startRpc(withGetRoom(() => ({})));
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, 0x20));
    const answer = await readJson(
      await fetch(`${rpc.url}/${GET_ROOM}`, {
        method: "POST",
        headers: { "content-type": "application/json", "content-encoding": "gzip" },
        body: bomb,
      }),
    );
    expect(answer.body.code).toBe("resource_exhausted");
  });

  it.each([
    ["text/plain, as a form of another site would send", "POST", "text/plain", 415],
    ["a form", "POST", "application/x-www-form-urlencoded", 415],
    ["no content type", "POST", "", 415],
    ["another verb", "PUT", "application/json", 405],
  ])("refuses %s", async (_, method, contentType, status) => {
    await using rpc = await startRpc(withGetRoom(() => ({})));
    const response = await fetch(`${rpc.url}/${GET_ROOM}`, {
      method,
      headers: contentType ? { "content-type": contentType } : {},
      body: new Uint8Array([0x7b, 0x7d]),
    });
    expect(response.status).toBe(status);
  });

  it("answers GET for reads only", async () => {
    await using rpc = await startRpc(withGetRoom(({ roomId }) => ({ room: { roomId } })));
    const query = `?encoding=json&message=${encodeURIComponent('{"roomId":"general"}')}`;
    const read = await readJson(await fetch(`${rpc.url}/${GET_ROOM}${query}`));
    expect(read.body.room).toMatchObject({ room_id: "general" });
    const write = await fetch(`${rpc.url}/baccarat.v1.RoomService/DeleteRoom${query}`);
    expect(write.status).toBe(405);
  });

  it.each(["/", "/baccarat.v1.RoomService/Nope", "/baccarat.v1.Nope/GetRoom", "//", "/metrics", `/x/${GET_ROOM}`])(
    "answers %s with 404",
    async (path) => {
      await using rpc = await startRpc(withGetRoom(() => ({})));
      expect((await fetch(`${rpc.url}${path}`, { method: "POST" })).status).toBe(404);
    },
  );

  it("takes camelCase, snake_case and unknown fields, and answers snake_case with defaults", async () => {
    await using rpc = await startRpc(withGetRoom(({ roomId }) => ({ room: { roomId, slowModeMs: 5 } })));
    for (const request of [
      { roomId: "a", new: 1 },
      { room_id: "a", nested: { new: 1 } },
    ]) {
      const { body } = await rpc.post("RoomService/GetRoom", request);
      expect(body.room).toEqual({
        room_id: "a",
        title: "",
        capacity: 0,
        private: false,
        slow_mode_ms: 5,
        frozen: false,
        metadata: {},
        member_count: 0,
        overload_policy: "OVERLOAD_POLICY_UNSPECIFIED",
        conflation_interval_ms: 0,
      });
    }
  });
});

describe("deadlines", () => {
  it("ends a call at the deadline its caller sets, and tells the implementation", async () => {
    const { promise: told, resolve: tell } = Promise.withResolvers<unknown>();
    await using rpc = await startRpc(
      withGetRoom((_, { signal }) => {
        signal.addEventListener("abort", () => tell(signal.reason));
        return never();
      }),
    );
    const { status, body } = await rpc.post("RoomService/GetRoom", {}, { "connect-timeout-ms": "30" });
    expect([status, body.code]).toEqual([504, "deadline_exceeded"]);
    expect(errorInfo(body)).toMatchObject({ reason: "ERROR_REASON_UNAVAILABLE", retryable: true });
    expect(await told).toMatchObject({ code: Code.DeadlineExceeded });
    await eventually("the call to be counted", () => rpc.calls.length > 0);
    expect(rpc.calls).toEqual([{ method: GET_ROOM, code: "deadline_exceeded" }]);
  });

  it("honours grpc-timeout", async () => {
    await using rpc = await startRpc(withGetRoom(never));
    const session = connectHttp2(rpc.url);
    const stream = session.request({
      ":method": "POST",
      ":path": `/${GET_ROOM}`,
      "content-type": "application/grpc+proto",
      "grpc-timeout": "30m",
    });
    stream.end(Buffer.alloc(5));
    const trailers = once(stream.resume(), "trailers");
    expect((await trailers)[0]).toMatchObject({ "grpc-status": String(Code.DeadlineExceeded) });
    session.close();
  });

  it("has one for callers that set none, or too long a one", async () => {
    await using rpc = await startRpc(withGetRoom(never), { deadlineMs: 50 });
    expect((await rpc.post("RoomService/GetRoom")).body.code).toBe("deadline_exceeded");
  });

  it.each([
    ["connect-timeout-ms", "40000", "application/json"],
    ["connect-timeout-ms", "9999999999", "application/json"],
    ["grpc-timeout", "99999999H", "application/grpc+proto"],
    ["grpc-timeout", "99999999S", "application/grpc+proto"],
  ])("takes %s %s for its own longest", async (header, value, contentType) => {
    let remaining: number | undefined;
    await using rpc = await startRpc(
      withGetRoom((_, { signal }) => {
        remaining = signal.aborted ? 0 : 1;
        return {};
      }),
    );
    const session = connectHttp2(rpc.url);
    const stream = session.request({
      ":method": "POST",
      ":path": `/${GET_ROOM}`,
      "content-type": contentType,
      [header]: value,
    });
    stream.end(contentType === "application/json" ? "{}" : Buffer.alloc(5));
    await stream.toArray();
    session.close();
    await eventually("the call to be counted", () => rpc.calls.length > 0);
    expect([remaining, rpc.calls[0]?.code]).toEqual([1, "ok"]);
  });

  it("cuts off an HTTP/2 body that does not end", async () => {
    await using rpc = await startRpc(
      withGetRoom(() => ({})),
      { deadlineMs: 50 },
    );
    const session = connectHttp2(rpc.url);
    const stream = session.request({
      ":method": "POST",
      ":path": `/${GET_ROOM}`,
      "content-type": "application/json",
    });
    stream.write("{");
    const closed = new Promise((resolve) => stream.on("close", resolve));
    stream.on("error", () => undefined);
    await closed;
    session.close();
  });

  it("has none for Attach, which outlives it and is told when the process stops", async () => {
    await using rpc = await startRpc(
      (router) =>
        router.service(EdgeService, {
          async *attach(_, { signal }) {
            yield {};
            await new Promise((resolve) => setTimeout(resolve, 150));
            yield {};
            await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
          },
        }),
      { deadlineMs: 50 },
    );
    const requests = openRequests();
    const stream = createClient(EdgeService, http2Transport(rpc)).attach(requests.iterable)[Symbol.asyncIterator]();
    expect((await stream.next()).done).toBe(false);
    expect((await stream.next()).done).toBe(false);
    const ended = stream.next().then(() => undefined, ConnectError.from);
    const closed = rpc.close();
    expect(await ended).toMatchObject({ code: Code.Unavailable });
    const [info] = (await ended)?.findDetails(ErrorInfoSchema) ?? [];
    expect(info).toMatchObject({ reason: ErrorReason.UNAVAILABLE, retryable: true });
    requests.end();
    await closed;
    expect(rpc.calls).toEqual([{ method: "baccarat.v1.EdgeService/Attach", code: "unavailable" }]);
  });

  it("lets other calls under way finish when the process stops", async () => {
    const { promise: entered, resolve: enter } = Promise.withResolvers<void>();
    const { promise: released, resolve: release } = Promise.withResolvers<object>();
    let waiting = 0;
    await using rpc = await startRpc(
      withGetRoom(() => {
        if (++waiting === 2) enter();
        return released;
      }),
    );
    const calls = [rpc.post("RoomService/GetRoom"), grpc(rpc).getRoom({})];
    await entered;
    const closed = rpc.close(PATIENCE_MS * 10);
    release({});
    await expect(Promise.all(calls)).resolves.toHaveLength(2);
    await closed;
  });
});

describe("callers that leave", () => {
  it.each([
    ["HTTP/1.1", "1.1"],
    ["HTTP/2", "2"],
  ] as const)("cancel a call over %s", async (_, httpVersion) => {
    const { promise: entered, resolve: enter } = Promise.withResolvers<void>();
    const { promise: told, resolve: tell } = Promise.withResolvers<void>();
    await using rpc = await startRpc(
      withGetRoom((_, { signal }) => {
        enter();
        signal.addEventListener("abort", () => tell());
        return never();
      }),
    );
    const client = createClient(RoomService, createConnectTransport({ baseUrl: rpc.url, httpVersion }));
    const leaving = new AbortController();
    const call = client.getRoom({}, { signal: leaving.signal }).catch(ConnectError.from);
    await entered;
    leaving.abort();
    expect(await call).toMatchObject({ code: Code.Canceled });
    await told;
    expect(rpc.calls).toEqual([{ method: GET_ROOM, code: "canceled" }]);
  });

  it("cancel a stream, whatever its source waits for", async () => {
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    await using rpc = await startRpc((router) =>
      router.service(EdgeService, {
        async *attach(_, { signal }) {
          try {
            yield {};
            await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
          } finally {
            end();
          }
        },
      }),
    );
    const leaving = new AbortController();
    const requests = openRequests();
    const client = createClient(EdgeService, http2Transport(rpc));
    const stream = client.attach(requests.iterable, { signal: leaving.signal })[Symbol.asyncIterator]();
    await stream.next();
    leaving.abort();
    await expect(stream.next()).rejects.toThrow();
    await ended;
    requests.end();
    await eventually("the call to be counted", () => rpc.calls.length > 0);
    expect(rpc.calls).toEqual([{ method: "baccarat.v1.EdgeService/Attach", code: "canceled" }]);
  });
});

describe("answers", () => {
  it("count as ok", async () => {
    await using rpc = await startRpc(withGetRoom(() => ({})));
    await rpc.post("RoomService/GetRoom");
    await grpc(rpc).getRoom({});
    await eventually("both calls to be counted", () => rpc.calls.length === 2);
    expect(new Set(rpc.calls.map(({ code }) => code))).toEqual(new Set(["ok"]));
  });
});

function http2Transport(rpc: RpcFixture) {
  return createConnectTransport({ baseUrl: rpc.url, httpVersion: "2" });
}

function grpc(rpc: RpcFixture) {
  return createClient(RoomService, createGrpcTransport({ baseUrl: rpc.url }));
}

async function* noRequests(): AsyncGenerator<object> {}

/** A stream of requests that stays open and empty until it is ended. */
function openRequests() {
  const { promise, resolve } = Promise.withResolvers<void>();
  async function* iterate(): AsyncGenerator<object> {
    yield {};
    await promise;
  }
  return { iterable: iterate(), end: resolve };
}
