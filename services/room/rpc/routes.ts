import { type ConnectRouter, type ConnectRouterOptions, createConnectRouter } from "@connectrpc/connect";
import { compressionGzip } from "@connectrpc/connect-node";
import { AdminService } from "../../../gen/baccarat/v1/admin_service_pb.ts";
import { EdgeService } from "../../../gen/baccarat/v1/edge_service_pb.ts";
import { RoomService } from "../../../gen/baccarat/v1/room_service_pb.ts";
import { Health } from "../../../gen/health/v1/health_pb.ts";
import { FIXED } from "../../limits.ts";
import type { ControlPlane } from "../control-plane.ts";
import { adminService } from "./admin-service.ts";
import { edgeService } from "./edge-service.ts";
import { healthService } from "./health.ts";
import { type CallOptions, createGate, createInterceptors } from "./interceptors.ts";
import { ruleOf } from "./methods.ts";
import { addReflection } from "./reflection.ts";
import { roomService } from "./room-service.ts";

/** Adds services to a router. */
export type Routes = (router: ConnectRouter) => void;

/** The product's services over a control plane. */
export function serviceRoutes(controlPlane: ControlPlane): Routes {
  return (router) => {
    router.service(RoomService, roomService(controlPlane));
    router.service(AdminService, adminService(controlPlane));
    router.service(EdgeService, edgeService(controlPlane));
  };
}

/** The router behind a listener: the services given, their health and their schema. */
export function createRouter(routes: Routes, ready: () => boolean, calls: CallOptions): ConnectRouter {
  const router = createConnectRouter(routerOptions(calls));
  routes(router);
  const names = new Set(router.handlers.map((handler) => handler.service.typeName));
  router.service(Health, healthService({ ready, services: names }));
  addReflection(router);
  // A method without a rule stops the start here rather than its first call.
  for (const handler of router.handlers) ruleOf(handler.method);
  return router;
}

function routerOptions(calls: CallOptions): ConnectRouterOptions {
  return {
    acceptCompression: [compressionGzip],
    readMaxBytes: FIXED.rpcBytes,
    jsonOptions: { useProtoFieldName: true, alwaysEmitImplicit: true, ignoreUnknownFields: true },
    requestGate: createGate(calls),
    interceptors: createInterceptors(calls),
  };
}
