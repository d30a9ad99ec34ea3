import type { RoomPolicy } from "../gen/baccarat/v1/edge_service_pb.ts";
import { OverloadPolicy } from "../gen/baccarat/v1/room_pb.ts";

/** What the edge enforces for a room's members, as the control plane last said. */
export interface Policy {
  readonly frozen: boolean;
  readonly slowModeMs: number;
  /** True when members that are behind are not told who is typing and who comes and goes. */
  readonly dropsEphemeral: boolean;
  /** Least time between two events of one snapshot key, in milliseconds; 0: all are given. */
  readonly conflationMs: number;
}

/** The policy of a room without settings. */
export const NO_POLICY: Policy = { frozen: false, slowModeMs: 0, dropsEphemeral: false, conflationMs: 0 };

/** Reads a policy; undefined is that of a room without settings. */
export function policyOf(policy: RoomPolicy | undefined): Policy {
  if (policy === undefined) return NO_POLICY;
  const { frozen, slowModeMs, overloadPolicy: overload } = policy;
  const dropsEphemeral = overload === OverloadPolicy.DROP_EPHEMERAL;
  const conflationMs = overload === OverloadPolicy.LATEST_ONLY ? policy.conflationIntervalMs : 0;
  // Most rooms have none, and share it.
  if (!frozen && slowModeMs === 0 && !dropsEphemeral && conflationMs === 0) return NO_POLICY;
  return { frozen, slowModeMs, dropsEphemeral, conflationMs };
}
