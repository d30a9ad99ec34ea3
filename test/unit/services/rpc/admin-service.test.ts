import { createConnectTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { EdgeStream } from "./edge-stream.ts";
import { type RoomFixture, startRoom } from "./room-fixture.ts";
import { bearer, errorInfo, type JsonBody, TOKENS } from "./rpc-fixture.ts";

async function call(rpc: RoomFixture, method: string, request: object = {}, as = "ops"): Promise<JsonBody> {
  const { body } = await rpc.post(`AdminService/${method}`, request, { authorization: bearer(as) });
  return body;
}

/** An edge over the network, with the token of one. */
function attach(rpc: RoomFixture, edgeId: string): Promise<EdgeStream> {
  const transport = createConnectTransport({
    baseUrl: rpc.url,
    httpVersion: "2",
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", bearer("edge-1"));
        return next(request);
      },
    ],
  });
  return EdgeStream.attach(transport, rpc.broker, edgeId);
}

describe("AdminService", () => {
  it("lists clients by user, room and edge, a page at a time", async () => {
    await using rpc = await startRoom({ tokens: TOKENS });
    await using one = await attach(rpc, "edge-1");
    await using two = await attach(rpc, "edge-2");
    await one.join("percy", "c1", "a", "b");
    await one.join("quinn", "c2", "a");
    await two.join("percy", "c3", "b");
    const ids = ({ clients }: JsonBody) => (clients as { client_id: string }[]).map(({ client_id }) => client_id);
    expect(ids(await call(rpc, "ListClients", {}, "reader"))).toEqual(["c1", "c2", "c3"]);
    expect(ids(await call(rpc, "ListClients", { uid: "percy" }))).toEqual(["c1", "c3"]);
    expect(ids(await call(rpc, "ListClients", { room_id: "a" }))).toEqual(["c1", "c2"]);
    expect(ids(await call(rpc, "ListClients", { edge_id: "edge-2" }))).toEqual(["c3"]);
    const first = await call(rpc, "ListClients", { page_size: 2 });
    const second = await call(rpc, "ListClients", { page_size: 2, page_token: first.next_page_token });
    expect([ids(first), ids(second)]).toEqual([["c1", "c2"], ["c3"]]);
    const [client] = (await call(rpc, "ListClients", { uid: "percy" })).clients as object[];
    expect(client).toMatchObject({
      uid: "percy",
      room_id: "b",
      room_ids: ["a", "b"],
      edge_id: "edge-1",
      remote_addr: "192.0.2.1",
      guest: false,
    });
    expect(await call(rpc, "GetStats")).toEqual({
      clients: 3,
      users: 2,
      rooms: 2,
      members: 3,
      edges: 2,
      epoch: rpc.broker.epoch,
      events_per_second: 0,
    });
    const { edges } = await call(rpc, "ListEdges");
    expect((edges as { edge_id: string }[]).map(({ edge_id }) => edge_id)).toEqual(["edge-1", "edge-2"]);
  });

  it("closes the connections that match all that is given", async () => {
    await using rpc = await startRoom({ tokens: TOKENS });
    await using edge = await attach(rpc, "edge-1");
    await edge.join("percy", "c1", "a");
    await edge.join("percy", "c2", "a");
    const request = { uid: "percy", client_id: "c2", reason: "bye" };
    expect(await call(rpc, "DisconnectClients", request)).toEqual({ disconnected: 1 });
    expect(await edge.hears("disconnected")).toMatchObject({ clientId: "c2", closeCode: 4503, reason: "bye" });
    expect(await call(rpc, "DisconnectClients", { uid: "nobody" })).toEqual({ disconnected: 0 });
  });

  it("records who disconnected whom, and who said what to everyone, but not what concerned nobody", async () => {
    await using rpc = await startRoom({ tokens: TOKENS });
    await using edge = await attach(rpc, "edge-1");
    await edge.join("percy", "c1", "a");
    await call(rpc, "DisconnectClients", { uid: "nobody" });
    await call(rpc, "DisconnectClients", { uid: "percy", edge_id: "edge-1", reason: "bye" });
    await call(rpc, "BroadcastNotice", { message: "maintenance" });
    const { events } = await call(rpc, "ListAuditEvents", { actor: "service:ops" }, "reader");
    const common = { actor: "service:ops", room_id: "", create_time: expect.any(String) };
    expect(events).toEqual([
      { ...common, action: "AUDIT_ACTION_NOTICE", uid: "", reason: "maintenance", facts: {} },
      {
        ...common,
        action: "AUDIT_ACTION_DISCONNECT",
        uid: "percy",
        reason: "bye",
        facts: { edge_id: "edge-1", connections: "1" },
      },
    ]);
  });

  it("tells every edge a notice", async () => {
    await using rpc = await startRoom({ tokens: TOKENS });
    await using one = await attach(rpc, "edge-1");
    await using two = await attach(rpc, "edge-2");
    expect(await call(rpc, "BroadcastNotice", { message: "maintenance at 9" })).toEqual({});
    for (const edge of [one, two]) expect(await edge.hears("notice")).toMatchObject({ message: "maintenance at 9" });
  });

  it.each([
    ["ListClients", { page_size: -1 }, "page_size"],
    ["ListClients", { uid: "a:b" }, "uid"],
    ["ListClients", { room_id: "a b" }, "room_id"],
    ["DisconnectClients", { uid: "*" }, "uid"],
    ["ListAuditEvents", { page_size: -1 }, "page_size"],
    ["ListAuditEvents", { room_id: "a b" }, "room_id"],
    ["ListAuditEvents", { uid: "a b" }, "uid"],
    ["ListAuditEvents", { page_token: "WyJhdWRpdCIsIiIsIiIsIiIsIngiXQ" }, "page_token"],
  ])("%s refuses %j", async (method, request, field) => {
    await using rpc = await startRoom({ tokens: TOKENS });
    expect(errorInfo(await call(rpc, method, request))).toMatchObject({
      reason: "ERROR_REASON_INVALID_ARGUMENT",
      metadata: { field },
    });
  });

  it.each([
    ["DisconnectClients", {}],
    ["DisconnectClients", { uid: "a", reason: "x".repeat(121) }],
    ["BroadcastNotice", {}],
    ["BroadcastNotice", { message: "x".repeat(4_001) }],
  ])("%s refuses %j", async (method, request) => {
    await using rpc = await startRoom({ tokens: TOKENS });
    expect(errorInfo(await call(rpc, method, request))).toMatchObject({ reason: "ERROR_REASON_INVALID_ARGUMENT" });
  });
});
