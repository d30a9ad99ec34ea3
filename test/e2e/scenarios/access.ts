import { describe, expect, it } from "vitest";
import { Crowd, newRoom } from "../../support/crowd.ts";
import { RawSocket } from "../../support/raw-socket.ts";
import { RpcClient } from "../../support/rpc.ts";
import type { Topology } from "../../support/topology.ts";

const SECRETS = { reader: "r".repeat(32), writer: "w".repeat(32), boss: "b".repeat(32) } as const;

/** Environment of a topology for these scenarios: tokens for services, and no room but those somebody created. */
export const CLOSED = {
  RPC_TOKENS: `reader:read:${SECRETS.reader},writer:publish:${SECRETS.writer},boss:admin:${SECRETS.boss}`,
  ROOM_CREATION: "listed",
  DEFAULT_ROOM: "",
} as const;

/** Who may do what, on a topology with CLOSED. */
export function access(topology: Topology): void {
  const as = (name: keyof typeof SECRETS) => new RpcClient(topology.rpcs[0] ?? "", SECRETS[name]);

  describe("access", { concurrent: true }, () => {
    it("without a token, or with one nobody gave out, is unauthenticated", async () => {
      for (const token of [undefined, "x", `${SECRETS.boss}x`, SECRETS.boss.slice(1)]) {
        const stranger = new RpcClient(topology.rpcs[0] ?? "", token);
        for (const method of ["RoomService/ListRooms", "RoomService/CreateRoom", "AdminService/GetStats"]) {
          expect(await stranger.fails(method), method).toMatchObject({ status: 401, code: "unauthenticated" });
        }
      }
    });

    it("goes as far as the token's scopes", async () => {
      const room_id = newRoom("scopes");
      await as("boss").call("RoomService/CreateRoom", { room: { room_id } });
      await as("reader").call("RoomService/GetRoom", { room_id });
      await as("writer").call("RoomService/SendMessage", { room_id, message: "hello" });
      for (const [name, method, request] of [
        ["reader", "RoomService/SendMessage", { room_id, message: "x" }],
        ["reader", "RoomService/DeleteRoom", { room_id }],
        ["writer", "RoomService/ListMessages", { room_id }],
        ["writer", "RoomService/KickMember", { room_id, uid: "x" }],
        ["writer", "RoomService/SendMessage", { room_id, message: "x", uid: "somebody" }],
        ["reader", "AdminService/DisconnectClients", { uid: "x" }],
        ["writer", "AdminService/BroadcastNotice", { message: "x" }],
      ] as const) {
        expect(await as(name).fails(method, request), `${name} ${method}`).toMatchObject({
          status: 403,
          code: "permission_denied",
          reason: "ERROR_REASON_PERMISSION_DENIED",
        });
      }
      const { messages } = await as("reader").get<{ messages: { uid: string }[] }>("RoomService/ListMessages", {
        room_id,
      });
      expect(messages.map((message) => message.uid)).toEqual(["service:writer"]);
    });

    it("to rooms is limited to those somebody created", async () => {
      await using crowd = new Crowd(topology);
      const room_id = newRoom("listed");
      const ann = await crowd.connect({ query: {} });
      expect((await ann.refused("join_room", { room_id })).code).toBe("room_not_found");
      expect(await as("writer").fails("RoomService/SendMessage", { room_id, message: "x" })).toMatchObject({
        status: 404,
      });
      await as("boss").call("RoomService/CreateRoom", { room: { room_id } });
      await ann.request("join_room", { room_id });
      await ann.say(room_id, "at last");
      expect(ann.all("room_joined").map((frame) => frame.payload.room_id)).toEqual([room_id]);
    });

    it("by a name that is not the listener's own is refused, so that no page can rebind its name to it", async () => {
      for (const base of [...topology.edges]) {
        await using raw = await RawSocket.connect(base);
        expect(await raw.handshake("/ws", "evil.example")).toMatch(/^HTTP\/1\.1 4(00|21) /);
      }
    });
  });
}
