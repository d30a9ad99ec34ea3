import type { ServiceImpl } from "@connectrpc/connect";
import type { AdminService } from "../../../gen/baccarat/v1/admin_service_pb.ts";
import { AuditAction } from "../../../gen/baccarat/v1/moderation_pb.ts";
import { senderUid } from "../../auth.ts";
import type { ControlPlane } from "../control-plane.ts";
import { callerKey } from "./credentials.ts";
import { optional, parsedRevocation, parsedRoomId, parsedUid } from "./decode.ts";

/** baccarat.v1.AdminService over the control plane. */
export function adminService(controlPlane: ControlPlane): ServiceImpl<typeof AdminService> {
  const { clients, deliveries, edges, erasure, notices, moderating, revocations } = controlPlane;
  const { audit } = moderating;
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
    async disconnectClients({ uid, clientId, edgeId, reason }, { values }) {
      const filter = {
        uid: optional(uid, parsedUid),
        clientId: optional(clientId, String),
        edgeId: optional(edgeId, String),
      };
      const actor = senderUid(values.get(callerKey));
      const given = Object.entries({ client_id: clientId, edge_id: edgeId }).filter(([, value]) => value !== "");
      const record = (count: number): Promise<void> => {
        const facts = { ...Object.fromEntries(given), connections: String(count) };
        return audit.record({ action: AuditAction.DISCONNECT, actor, uid, reason, facts });
      };
      return { disconnected: await clients.disconnect(filter, reason, record) };
    },
    listEdges: () => ({ edges: edges.list() }),
    async drainEdge({ edgeId }, { values }) {
      const actor = senderUid(values.get(callerKey));
      const record = () => audit.record({ action: AuditAction.DRAIN_EDGE, actor, facts: { edge_id: edgeId } });
      return { connections: await edges.drain(edgeId, record) };
    },
    async revokeTokens({ uid, tokenId, reason }, { values }) {
      const actor = senderUid(values.get(callerKey));
      return { revokeTime: await revocations.revoke(actor, parsedRevocation(uid, tokenId), reason) };
    },
    async deleteUserMessages({ uid, roomId, ...page }, { values }) {
      const asked = { uid: parsedUid(uid), room: optional(roomId, parsedRoomId), ...page };
      const { seq, endSeq, ...done } = await erasure.deletePage(values.get(callerKey), asked);
      return { ...done, seq: BigInt(seq), endSeq: BigInt(endSeq) };
    },
    async broadcastNotice({ message }, { values }) {
      const actor = senderUid(values.get(callerKey));
      const record = () => audit.record({ action: AuditAction.NOTICE, actor, reason: message });
      await notices.broadcast(message, record);
      return {};
    },
    listAuditEvents({ pageSize, pageToken, roomId, uid, actor }) {
      const page = audit.list({
        pageSize,
        pageToken,
        room: optional(roomId, parsedRoomId),
        uid: optional(uid, parsedUid),
        actor: optional(actor, String),
      });
      return { ...page, events: [...page.events] };
    },
    traceEvent: ({ roomId, seq }) => deliveries.trace(parsedRoomId(roomId), Number(seq)),
    getStats: () => edges.stats(),
  };
}
