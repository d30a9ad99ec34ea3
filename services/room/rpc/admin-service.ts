import type { ServiceImpl } from "@connectrpc/connect";
import type { AdminService } from "../../../gen/baccarat/v1/admin_service_pb.ts";
import type { ControlPlane } from "../control-plane.ts";
import { optional, parsedRoomId, parsedUid } from "./decode.ts";

/** baccarat.v1.AdminService over the control plane. */
export function adminService({ clients, edges, notices }: ControlPlane): ServiceImpl<typeof AdminService> {
  return {
    listClients({ pageSize, pageToken, uid, roomId, edgeId }) {
      const page = clients.list({
        pageSize,
        pageToken,
        uid: optional(uid, parsedUid),
        roomId: optional(roomId, parsedRoomId),
        edgeId: optional(edgeId, String),
      });
      return { ...page, clients: [...page.clients] };
    },
    async disconnectClients({ uid, clientId, edgeId, reason }) {
      const filter = {
        uid: optional(uid, parsedUid),
        clientId: optional(clientId, String),
        edgeId: optional(edgeId, String),
      };
      return { disconnected: await clients.disconnect(filter, reason) };
    },
    listEdges: () => ({ edges: edges.list() }),
    async broadcastNotice({ message }) {
      await notices.broadcast(message);
      return {};
    },
    getStats: () => edges.stats(),
  };
}
