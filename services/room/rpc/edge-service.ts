import type { ServiceImpl } from "@connectrpc/connect";
import type { EdgeService } from "../../../gen/baccarat/v1/edge_service_pb.ts";
import type { ControlPlane } from "../control-plane.ts";

/** baccarat.v1.EdgeService over the control plane. */
export function edgeService({ attachments }: ControlPlane): ServiceImpl<typeof EdgeService> {
  return {
    attach: (requests, { signal }) => attachments.attach(requests, signal),
  };
}
