import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Crowd, newRoom } from "../../support/crowd.ts";
import { GrpcClient } from "../../support/grpc.ts";
import { ROOT } from "../../support/process.ts";
import { run } from "../../support/run.ts";
import type { Topology } from "../../support/topology.ts";

const SERVICE = "baccarat.v1.RoomService";

/** Other programs' ways in: gRPC with the schema from reflection, health, and `buf curl`. */
export function rpcProtocols(topology: Topology): void {
  const base = () => topology.rpcs[0] ?? "";

  describe("RPC protocols", { concurrent: true, timeout: 60_000 }, () => {
    it("gRPC works with what reflection tells", async () => {
      await using crowd = new Crowd(topology);
      using grpc = new GrpcClient(base());
      const room_id = newRoom("grpc");
      expect(await grpc.services()).toEqual(expect.arrayContaining([SERVICE, "baccarat.v1.AdminService"]));
      const ann = await crowd.join(room_id);
      const sent = await grpc.call<{ message: { seq: number } }>(SERVICE, "SendMessage", {
        room_id,
        message: "over gRPC",
      });
      const { payload } = await ann.next("new_message");
      expect(payload).toMatchObject({ message: "over gRPC", seq: sent.message.seq });
      const page = await grpc.call<{ messages: { message: string }[] }>(SERVICE, "ListMessages", { room_id });
      expect(page.messages.map((message) => message.message)).toEqual(["over gRPC"]);
      await expect(grpc.call(SERVICE, "GetRoom", { room_id: "no id" })).rejects.toMatchObject({ code: 3 });
      await expect(grpc.call(SERVICE, "KickMember", { room_id, uid: "nobody" })).rejects.toMatchObject({ code: 5 });
    });

    it("gRPC health says SERVING", async () => {
      using grpc = new GrpcClient(base());
      for (const service of ["", SERVICE]) {
        const health = await grpc.call<{ status: string }>("grpc.health.v1.Health", "Check", { service });
        expect(health.status).toBe("SERVING");
      }
    });

    it.each(["connect", "grpc", "grpcweb"])("buf curl speaks %s without a schema", async (protocol) => {
      const room_id = newRoom("curl");
      const ran = await run({
        command: [
          join(ROOT, "node_modules/.bin/buf"),
          "curl",
          "--protocol",
          protocol,
          "--http2-prior-knowledge",
          "--data",
          JSON.stringify({ room_id, message: `over ${protocol}` }),
          `${base()}/${SERVICE}/SendMessage`,
        ],
      });
      expect(ran.stderr).toBe("");
      expect(JSON.parse(ran.stdout)).toMatchObject({ message: { roomId: room_id, message: `over ${protocol}` } });
    });
  });
}
