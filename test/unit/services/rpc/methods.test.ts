import { describe, expect, it } from "vitest";
import { AdminService } from "../../../../gen/baccarat/v1/admin_service_pb.ts";
import { EdgeService } from "../../../../gen/baccarat/v1/edge_service_pb.ts";
import { RoomService } from "../../../../gen/baccarat/v1/room_service_pb.ts";
import { ServerReflection } from "../../../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../../../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { Health } from "../../../../gen/health/v1/health_pb.ts";
import { METHODS, methodName, ruleOf } from "../../../../services/room/rpc/methods.ts";

const SERVED = [RoomService, AdminService, EdgeService, Health, ServerReflection, ServerReflectionAlpha].flatMap(
  (service) => [...service.methods],
);

describe("METHODS", () => {
  it("has one row for every method that is served, and no others", () => {
    expect(Object.keys(METHODS).sort()).toEqual(SERVED.map(methodName).sort());
  });

  it("lets tokens of scope `read` do nothing but what has no side effects", () => {
    for (const method of SERVED.filter(({ parent }) => parent.typeName.startsWith("baccarat."))) {
      const noSideEffects = method.idempotency === 1;
      expect([methodName(method), ruleOf(method).scope === "read"]).toEqual([methodName(method), noSideEffects]);
    }
  });

  it("leaves nothing of the product open", () => {
    const open = SERVED.filter((method) => ruleOf(method).scope === "open");
    expect(open.map(({ parent }) => parent.typeName)).toSatisfy((names: string[]) =>
      names.every((name) => name.startsWith("grpc.")),
    );
  });

  it("frees streams from the deadline only", () => {
    const live = SERVED.filter((method) => ruleOf(method).live);
    expect(live.map(methodName)).toEqual([
      "baccarat.v1.RoomService/WatchRoom",
      "baccarat.v1.RoomService/PublishStream",
      "baccarat.v1.EdgeService/Attach",
      "grpc.health.v1.Health/Watch",
    ]);
    expect(live.every((method) => method.methodKind !== "unary")).toBe(true);
  });
});
