import { type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter } from "@connectrpc/connect";
import { ServerReflection as ReflectionV1 } from "../../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ReflectionV1Alpha } from "../../../gen/grpc/reflection/v1alpha/reflection_pb.ts";

/** What a reflection request asks; the same in both versions. */
type Question =
  | { case: "fileByFilename" | "fileContainingSymbol" | "allExtensionNumbersOfType" | "listServices"; value: string }
  | { case: "fileContainingExtension"; value: { containingType: string; extensionNumber: number } }
  | { case: undefined; value?: undefined };

/**
 * Adds grpc.reflection, which tells tools such as buf curl and grpcurl the schema of the router's services, itself
 * included. Call it last. Its two versions differ in the name of their package only, and tools still ask for either.
 */
export function addReflection(router: ConnectRouter): void {
  const mounted = new Set(router.handlers.map((handler) => handler.service));
  const schema = new Schema([...mounted, ReflectionV1, ReflectionV1Alpha]);
  router.service(ReflectionV1, { serverReflectionInfo: (requests) => answerAll(schema, requests) });
  router.service(ReflectionV1Alpha, { serverReflectionInfo: (requests) => answerAll(schema, requests) });
}

async function* answerAll<R extends { host: string; messageRequest: Question }>(
  schema: Schema,
  requests: AsyncIterable<R>,
) {
  for await (const request of requests) {
    const messageResponse = schema.answer(request.messageRequest);
    yield { validHost: request.host, originalRequest: request, messageResponse };
  }
}

/** The files that declare the services, and all they import, found by name and by what they declare. */
class Schema {
  readonly #services: readonly string[];
  readonly #byName = new Map<string, DescFile>();
  readonly #bySymbol = new Map<string, DescFile>();

  constructor(services: readonly DescService[]) {
    this.#services = services.map((service) => service.typeName);
    for (const file of withImports(services.map((service) => service.file))) {
      this.#byName.set(file.proto.name, file);
      for (const symbol of symbolsOf(file)) this.#bySymbol.set(symbol, file);
    }
  }

  answer(question: Question) {
    switch (question.case) {
      case "listServices":
        return { case: "listServicesResponse" as const, value: { service: this.#services.map((name) => ({ name })) } };
      case "fileByFilename":
        return filesOrError(this.#byName.get(question.value), `no file ${question.value}`);
      case "fileContainingSymbol":
        return filesOrError(this.#bySymbol.get(question.value), `no symbol ${question.value}`);
      case "fileContainingExtension":
        return failure(Code.NotFound, "there are no extensions");
      case "allExtensionNumbersOfType":
        if (!this.#bySymbol.has(question.value)) return failure(Code.NotFound, `no type ${question.value}`);
        return {
          case: "allExtensionNumbersResponse" as const,
          value: { baseTypeName: question.value, extensionNumber: [] },
        };
      case undefined:
        return failure(Code.InvalidArgument, "message_request is missing");
    }
  }
}

/** A file comes with all it imports, which spares the tool a question for each. */
function filesOrError(file: DescFile | undefined, message: string) {
  if (!file) return failure(Code.NotFound, message);
  const files = withImports([file]).map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { case: "fileDescriptorResponse" as const, value: { fileDescriptorProto: files } };
}

function failure(errorCode: Code, errorMessage: string) {
  return { case: "errorResponse" as const, value: { errorCode, errorMessage } };
}

/** The files and what they import, directly or not, each once. */
function withImports(files: readonly DescFile[]): DescFile[] {
  const found = new Set<DescFile>();
  const visit = (file: DescFile) => {
    if (found.has(file)) return;
    found.add(file);
    file.dependencies.forEach(visit);
  };
  files.forEach(visit);
  return [...found];
}

/** Full names of the services, methods and types that a file declares. */
function* symbolsOf(file: DescFile): Iterable<string> {
  for (const type of nestedTypes(file)) {
    yield type.typeName;
    if (type.kind === "service") for (const method of type.methods) yield `${type.typeName}.${method.name}`;
  }
}
