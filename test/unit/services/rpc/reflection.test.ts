import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter } from "@connectrpc/connect";
import * as grpc from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer, loadSync } from "@grpc/proto-loader";
import { describe, expect, it } from "vitest";
import { AdminService } from "../../../../gen/baccarat/v1/admin_service_pb.ts";
import { ErrorInfoSchema, ErrorReason } from "../../../../gen/baccarat/v1/errors_pb.ts";
import { RoomService } from "../../../../gen/baccarat/v1/room_service_pb.ts";
import { RoomError } from "../../../../services/errors.ts";
import { type RpcFixture, startRpc } from "./rpc-fixture.ts";

const routes = (router: ConnectRouter) =>
  router
    .service(RoomService, {
      getRoom({ roomId }) {
        if (roomId !== "general")
          throw new RoomError("room_not_found", "no such room", { metadata: { room_id: roomId } });
        return { room: { roomId, title: "General" } };
      },
    })
    .service(AdminService, {});

const PROTO = join(import.meta.dirname, "../../../../node_modules/@grpc/reflection/build/proto/grpc/reflection");

describe.each(["v1", "v1alpha"])("grpc.reflection.%s", (version) => {
  it("lists the services, itself included", async () => {
    await using rpc = await startRpc(routes);
    const [answer] = await ask(rpc, version, [{ listServices: "" }]);
    expect(answer?.listServicesResponse?.service.map(({ name }) => name)).toEqual([
      "baccarat.v1.RoomService",
      "baccarat.v1.AdminService",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
    ]);
  });

  it("finds files by name and by anything they declare, with all they import", async () => {
    await using rpc = await startRpc(routes);
    const questions = [
      { fileByFilename: "baccarat/v1/room_service.proto" },
      { fileContainingSymbol: "baccarat.v1.RoomService" },
      { fileContainingSymbol: "baccarat.v1.RoomService.GetRoom" },
      { fileContainingSymbol: "baccarat.v1.GetRoomRequest" },
    ];
    const answers = await ask(rpc, version, questions);
    expect(answers).toHaveLength(questions.length);
    for (const answer of answers) {
      expect(fileNames(answer)).toEqual(
        expect.arrayContaining([
          "baccarat/v1/room_service.proto",
          "baccarat/v1/event.proto",
          "google/protobuf/timestamp.proto",
        ]),
      );
      expect(answer.originalRequest).toBeDefined();
    }
    const [wellKnown] = await ask(rpc, version, [{ fileContainingSymbol: "google.protobuf.Timestamp" }]);
    expect(fileNames(wellKnown)).toEqual(["google/protobuf/timestamp.proto"]);
  });

  it("says what it does not know", async () => {
    await using rpc = await startRpc(routes);
    const codes = await ask(rpc, version, [
      { fileByFilename: "nope.proto" },
      { fileContainingSymbol: "baccarat.v1.Nope" },
      { fileContainingExtension: { containingType: "baccarat.v1.Room", extensionNumber: 1 } },
      { allExtensionNumbersOfType: "baccarat.v1.Nope" },
      {},
    ]);
    expect(codes.map((answer) => answer.errorResponse?.errorCode)).toEqual([5, 5, 5, 5, 3]);
    const [none] = await ask(rpc, version, [{ allExtensionNumbersOfType: "baccarat.v1.Room" }]);
    expect(none?.allExtensionNumbersResponse).toEqual({ baseTypeName: "baccarat.v1.Room" });
  });

  it("tells a gRPC client all it needs to call, and to read error details", async () => {
    await using rpc = await startRpc(routes);
    const [answer] = await ask(rpc, version, [{ fileContainingSymbol: "baccarat.v1.RoomService" }]);
    const call = unaryCaller(rpc, answer, "baccarat.v1.RoomService", "GetRoom");
    expect(await call({ room_id: "general" })).toMatchObject({ room: { room_id: "general", title: "General" } });

    const error = await call({ room_id: "nowhere" }).then(
      () => new Error("it succeeded"),
      (failure: grpc.ServiceError) => failure,
    );
    expect(error).toMatchObject({ code: grpc.status.NOT_FOUND, details: "no such room" });
    expect(errorInfoOf(error as grpc.ServiceError)).toMatchObject({
      reason: ErrorReason.ROOM_NOT_FOUND,
      domain: "baccarat.v1",
      metadata: { room_id: "nowhere" },
    });
  });
});

describe("gRPC", () => {
  it("answers unknown methods with UNIMPLEMENTED", async () => {
    await using rpc = await startRpc(routes);
    const client = new grpc.Client(`127.0.0.1:${rpc.port}`, grpc.credentials.createInsecure());
    const failure = await new Promise<grpc.ServiceError | null>((resolve) => {
      const same = (bytes: Buffer) => bytes;
      client.makeUnaryRequest("/baccarat.v1.RoomService/Nope", same, same, Buffer.alloc(0), resolve);
    });
    client.close();
    expect(failure?.code).toBe(grpc.status.UNIMPLEMENTED);
  });
});

interface ReflectionAnswer {
  readonly originalRequest?: object;
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Buffer[] };
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
  readonly allExtensionNumbersResponse?: object;
  readonly errorResponse?: { readonly errorCode: number };
}

type AnyClient = new (address: string, credentials: grpc.ChannelCredentials) => grpc.Client & Record<string, unknown>;

/** Asks over one stream, as grpc-js knows the service from its published .proto. */
async function ask(rpc: RpcFixture, version: string, questions: readonly object[]): Promise<ReflectionAnswer[]> {
  const definition = loadSync(join(PROTO, version, "reflection.proto"), { oneofs: false });
  const service = clientClass(grpc.loadPackageDefinition(definition), `grpc.reflection.${version}.ServerReflection`);
  const client = new service(`127.0.0.1:${rpc.port}`, grpc.credentials.createInsecure());
  const open = client.serverReflectionInfo as () => grpc.ClientDuplexStream<object, ReflectionAnswer>;
  const stream = open.call(client);
  for (const question of questions) stream.write(question);
  stream.end();
  try {
    return await stream.toArray();
  } finally {
    client.close();
  }
}

function clientClass(root: grpc.GrpcObject, name: string): AnyClient {
  const found = name.split(".").reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], root);
  return found as AnyClient;
}

/** A method of a client built from nothing but reflected descriptors. */
function unaryCaller(rpc: RpcFixture, answer: ReflectionAnswer | undefined, service: string, method: string) {
  const file = (answer?.fileDescriptorResponse?.fileDescriptorProto ?? []).map((bytes) =>
    fromBinary(FileDescriptorProtoSchema, bytes),
  );
  const set = Buffer.from(toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file })));
  const client = new (clientClass(grpc.loadPackageDefinition(loadFileDescriptorSetFromBuffer(set)), service))(
    `127.0.0.1:${rpc.port}`,
    grpc.credentials.createInsecure(),
  );
  const call = client[method] as (request: object, done: (error: Error | null, answer: object) => void) => void;
  return (request: object) =>
    new Promise<object>((resolve, reject) => {
      call.call(client, request, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
}

function fileNames(answer: ReflectionAnswer | undefined): string[] {
  const files = answer?.fileDescriptorResponse?.fileDescriptorProto ?? [];
  return files.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
}

/** The ErrorInfo in google.rpc.Status, which is `{code = 1, message = 2, repeated Any details = 3}`. */
function errorInfoOf(error: grpc.ServiceError) {
  const [status] = error.metadata.get("grpc-status-details-bin");
  const bytes = Buffer.from(status as Buffer);
  const typeUrl = Buffer.from("type.googleapis.com/baccarat.v1.ErrorInfo");
  const at = bytes.indexOf(typeUrl) + typeUrl.length;
  // What follows the URL inside Any is its field 2: a tag, a length below 128, and the message.
  return fromBinary(ErrorInfoSchema, bytes.subarray(at + 2, at + 2 + (bytes[at + 1] ?? 0)));
}
