import type { DescMethod } from "@bufbuild/protobuf";
import type { Scope } from "../../auth.ts";

/** What a method asks of its caller and of its calls. */
export interface MethodRule {
  /**
   * Scope a token needs. `open`: none, for what probes and tools ask before they have a token: whether the process
   * serves (Health), and the schema (ServerReflection), which is public.
   */
  readonly scope: Scope | "open";
  /** True for a stream that lives as long as its caller wants; all other calls end at the deadline. */
  readonly live?: true;
}

/** Every method that is served, as `<service>/<method>`. A test holds that none is missing. */
export const METHODS: Readonly<Record<string, MethodRule>> = {
  "baccarat.v1.RoomService/CreateRoom": { scope: "admin" },
  "baccarat.v1.RoomService/GetRoom": { scope: "read" },
  "baccarat.v1.RoomService/ListRooms": { scope: "read" },
  "baccarat.v1.RoomService/UpdateRoom": { scope: "admin" },
  "baccarat.v1.RoomService/DeleteRoom": { scope: "admin" },
  "baccarat.v1.RoomService/ListMembers": { scope: "read" },
  "baccarat.v1.RoomService/KickMember": { scope: "admin" },
  "baccarat.v1.RoomService/BanMember": { scope: "admin" },
  "baccarat.v1.RoomService/UnbanMember": { scope: "admin" },
  "baccarat.v1.RoomService/ListBans": { scope: "read" },
  "baccarat.v1.RoomService/MuteMember": { scope: "admin" },
  "baccarat.v1.RoomService/UnmuteMember": { scope: "admin" },
  "baccarat.v1.RoomService/InviteMember": { scope: "admin" },
  "baccarat.v1.RoomService/UninviteMember": { scope: "admin" },
  "baccarat.v1.RoomService/BlockUser": { scope: "admin" },
  "baccarat.v1.RoomService/UnblockUser": { scope: "admin" },
  "baccarat.v1.RoomService/SendMessage": { scope: "publish" },
  "baccarat.v1.RoomService/PublishEvent": { scope: "publish" },
  "baccarat.v1.RoomService/GetSnapshot": { scope: "read" },
  "baccarat.v1.RoomService/ListMessages": { scope: "read" },
  "baccarat.v1.RoomService/ListEvents": { scope: "read" },
  "baccarat.v1.RoomService/DeleteMessage": { scope: "admin" },
  "baccarat.v1.RoomService/WatchRoom": { scope: "read", live: true },
  "baccarat.v1.RoomService/PublishStream": { scope: "publish", live: true },
  "baccarat.v1.AdminService/ListClients": { scope: "read" },
  "baccarat.v1.AdminService/DisconnectClients": { scope: "admin" },
  "baccarat.v1.AdminService/ListEdges": { scope: "read" },
  "baccarat.v1.AdminService/DrainEdge": { scope: "admin" },
  "baccarat.v1.AdminService/RevokeTokens": { scope: "admin" },
  "baccarat.v1.AdminService/DeleteUserMessages": { scope: "admin" },
  "baccarat.v1.AdminService/BroadcastNotice": { scope: "admin" },
  "baccarat.v1.AdminService/ListAuditEvents": { scope: "read" },
  "baccarat.v1.AdminService/TraceEvent": { scope: "read" },
  "baccarat.v1.AdminService/GetStats": { scope: "read" },
  "baccarat.v1.EdgeService/Attach": { scope: "edge", live: true },
  "grpc.health.v1.Health/Check": { scope: "open" },
  "grpc.health.v1.Health/List": { scope: "open" },
  "grpc.health.v1.Health/Watch": { scope: "open", live: true },
  "grpc.reflection.v1.ServerReflection/ServerReflectionInfo": { scope: "open" },
  "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": { scope: "open" },
};

/** `<service>/<method>`: the method's name in the table above, in logs and in metrics. */
export function methodName(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}

/** The method's rule. @throws Error when the table has no row: such a method must not be served at all. */
export function ruleOf(method: DescMethod): MethodRule {
  const rule = METHODS[methodName(method)];
  if (!rule) throw new Error(`${methodName(method)} has no row in METHODS`);
  return rule;
}
