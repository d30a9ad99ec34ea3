import { Code, ConnectError, type ConnectRouter, createClient, createRouterTransport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { RoomService } from "../../../../gen/baccarat/v1/room_service_pb.ts";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../../../gen/health/v1/health_pb.ts";
import { healthService } from "../../../../services/room/rpc/health.ts";
import { eventually } from "../../../support/eventually.ts";
import { startRpc, TOKENS } from "./rpc-fixture.ts";

const routes = (router: ConnectRouter) => router.service(RoomService, {});
const client = ({ url }: { url: string }) => createClient(Health, createGrpcTransport({ baseUrl: url }));

describe("grpc.health.v1.Health", () => {
  it("tells without a token whether the process is ready, for all services and each", async () => {
    let ready = true;
    await using rpc = await startRpc(routes, { ready: () => ready, tokens: TOKENS });
    for (const service of ["", "baccarat.v1.RoomService"]) {
      expect((await client(rpc).check({ service })).status).toBe(Status.SERVING);
    }
    ready = false;
    expect((await client(rpc).check({})).status).toBe(Status.NOT_SERVING);
    const { statuses } = await client(rpc).list({});
    expect(Object.keys(statuses)).toEqual(["", "baccarat.v1.RoomService"]);
  });

  it("does not know other services", async () => {
    await using rpc = await startRpc(routes);
    const error = await client(rpc).check({ service: "baccarat.v1.Nope" }).catch(ConnectError.from);
    expect(error).toMatchObject({ code: Code.NotFound });
    const watch = client(rpc).watch({ service: "baccarat.v1.Nope" })[Symbol.asyncIterator]();
    expect((await watch.next()).value.status).toBe(Status.SERVICE_UNKNOWN);
    await watch.return?.();
  });

  it("has room for so many watchers, and again when one leaves", async () => {
    const health = healthService({ ready: () => true, services: new Set(), maxWatchers: 1, pollMs: 5 });
    const transport = createRouterTransport((router) => router.service(Health, health));
    const leaving = new AbortController();
    const watch = (signal?: AbortSignal) =>
      createClient(Health, transport)
        .watch({}, signal ? { signal } : {})
        [Symbol.asyncIterator]();
    const first = watch(leaving.signal);
    await first.next();
    await expect(watch().next()).rejects.toThrow();
    const left = expect(first.next()).rejects.toThrow();
    leaving.abort();
    await left;
    const next = await eventually("the place to be free", () => watch().next());
    expect(next.value?.status).toBe(Status.SERVING);
  });

  it("pushes every change to watchers until the process stops", async () => {
    let ready = false;
    await using rpc = await startRpc(routes, { ready: () => ready });
    const watch = client(rpc).watch({})[Symbol.asyncIterator]();
    expect((await watch.next()).value.status).toBe(Status.NOT_SERVING);
    ready = true;
    expect((await watch.next()).value.status).toBe(Status.SERVING);
    const ended = watch.next().catch(ConnectError.from);
    const closed = rpc.close();
    expect(await ended).toMatchObject({ code: Code.Unavailable });
    await closed;
    await eventually("the calls to be counted", () => rpc.calls.length > 0);
    expect(rpc.calls).toEqual([{ method: "grpc.health.v1.Health/Watch", code: "unavailable" }]);
  });
});
