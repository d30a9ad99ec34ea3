import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { RoomService } from "../../../../gen/baccarat/v1/room_service_pb.ts";
import { createLog } from "../../../../services/log.ts";
import { edgeTransport } from "../../../../services/room/rpc/edge-transport.ts";
import { eventually } from "../../../support/eventually.ts";
import { EdgeStream } from "./edge-stream.ts";
import { type RoomFixture, startRoom } from "./room-fixture.ts";
import type { ObservedCall } from "./rpc-fixture.ts";

const log = createLog({ level: "silent" });
const inProcess = (rpc: RoomFixture, calls: ObservedCall[] = []) =>
  edgeTransport(rpc.controlPlane, { observer: { onCall: (method, code) => calls.push({ method, code }) }, log });

const TRANSPORTS: readonly [name: string, make: (rpc: RoomFixture) => Transport][] = [
  ["in process", (rpc) => inProcess(rpc)],
  ["Connect over HTTP/2", ({ url }) => createConnectTransport({ baseUrl: url, httpVersion: "2" })],
  ["gRPC", ({ url }) => createGrpcTransport({ baseUrl: url })],
];

describe.each(TRANSPORTS)("Attach %s", (_, make) => {
  it("joins, hears of others, and answers errors in their place", async () => {
    await using rpc = await startRoom();
    await using one = await EdgeStream.attach(make(rpc), rpc.broker, "edge-1");
    await using two = await EdgeStream.attach(make(rpc), rpc.broker, "edge-2");
    await one.join("percy", "c1", "table");
    await two.join("quinn", "c2", "table");
    expect(await one.hears("memberEntered")).toMatchObject({ roomId: "table", member: { uid: "quinn" }, count: 2 });
    const failure = await one.ask({ case: "join", value: { clientId: "c1", roomId: "no room" } });
    expect(failure).toMatchObject({ case: "failure", value: { reason: 3 } });
    two.send({ case: "leave", value: { clientId: "c2", roomId: "table", reason: "left" } });
    expect(await one.hears("memberExited")).toMatchObject({
      roomId: "table",
      member: { uid: "quinn" },
      reason: "left",
    });
  });

  it("hands over many commands of one turn in order", async () => {
    await using rpc = await startRoom();
    await using edge = await EdgeStream.attach(make(rpc), rpc.broker, "edge-1");
    await edge.join("percy", "c1");
    const rooms = Array.from({ length: 30 }, (_, index) => `room-${index}`);
    const missing = new Set(rooms.map((roomId) => edge.send({ case: "join", value: { clientId: "c1", roomId } })));
    while (missing.size > 0) {
      const { requestId, result } = await edge.hears("reply");
      if (missing.delete(requestId)) expect(result).toMatchObject({ case: "joined" });
    }
    expect(rpc.controlPlane.edges.stats().members).toBe(30);
  });
});

describe("Attach", () => {
  it("is all that an edge in the same process can call", async () => {
    await using rpc = await startRoom();
    const { getRoom, watchRoom } = createClient(RoomService, inProcess(rpc));
    await expect(getRoom({ roomId: "table" })).rejects.toMatchObject({ code: Code.Unimplemented });
    const events = watchRoom({})[Symbol.asyncIterator]();
    await expect(events.next()).rejects.toMatchObject({ code: Code.Unimplemented });
  });

  it("ends when the control plane does", async () => {
    await using rpc = await startRoom();
    await using edge = await EdgeStream.attach(inProcess(rpc), rpc.broker, "edge-1");
    const ended = edge.hears("fenced").catch(ConnectError.from);
    await rpc.controlPlane.close();
    expect(await ended).toMatchObject({ code: Code.Unavailable });
  });

  it("ends when the edge does, and is observed in process as over the network", async () => {
    const calls: ObservedCall[] = [];
    await using rpc = await startRoom();
    const edge = await EdgeStream.attach(inProcess(rpc, calls), rpc.broker, "edge-1");
    await edge[Symbol.asyncDispose]();
    await eventually("the stream to be counted", () => calls.length > 0);
    expect(calls).toEqual([{ method: "baccarat.v1.EdgeService/Attach", code: "canceled" }]);
  });
});
