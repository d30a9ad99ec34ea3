import { createRequire } from "node:module";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import {
  type Client,
  type ClientDuplexStream,
  credentials,
  type GrpcObject,
  loadPackageDefinition,
  type ServiceClientConstructor,
  type ServiceError,
} from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer, loadSync, type Options } from "@grpc/proto-loader";
import { PATIENCE_MS, within } from "./eventually.ts";

const OPTIONS: Options = { keepCase: true, longs: Number, enums: String, defaults: true };
const REFLECTION_PROTO = "@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto";

interface ReflectionRequest {
  readonly file_containing_symbol?: string;
  readonly file_by_filename?: string;
  readonly list_services?: string;
}

interface ReflectionResponse {
  readonly error_response?: { readonly error_message: string } | null;
  readonly file_descriptor_response?: { readonly file_descriptor_proto: readonly Buffer[] } | null;
  readonly list_services_response?: { readonly service: readonly { readonly name: string }[] } | null;
}

type Unary = (request: object, done: (error: ServiceError | null, response: object) => void) => void;

/** A gRPC client that knows no schema: it asks the server for it (grpc.reflection.v1), as grpcurl does. */
export class GrpcClient implements Disposable {
  readonly #address: string;
  readonly #clients: Client[] = [];
  readonly #services = new Map<string, Promise<Client>>();

  /** `base` is the URL of a RoomService, such as http://127.0.0.1:8080. */
  constructor(base: string) {
    this.#address = new URL(base).host;
  }

  /** Names of all services the server tells of. */
  async services(): Promise<string[]> {
    const [response] = await this.#reflect([{ list_services: "*" }]);
    return (response?.list_services_response?.service ?? []).map((service) => service.name);
  }

  /** Calls a unary method by its full service name. @throws ServiceError. */
  async call<T>(service: string, method: string, request: object): Promise<T> {
    const client = await this.#service(service);
    const { promise, resolve, reject } = Promise.withResolvers<object>();
    const unary = (client as unknown as Readonly<Record<string, Unary | undefined>>)[method];
    if (unary === undefined) throw new Error(`reflection shows no ${service}/${method}`);
    unary.call(client, request, (error, response) => (error ? reject(error) : resolve(response)));
    return (await within(PATIENCE_MS, `${service}/${method} over gRPC`, promise)) as T;
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients) client.close();
  }

  #service(name: string): Promise<Client> {
    let client = this.#services.get(name);
    client ??= this.#describe(name).then((set) => this.#open(loadPackageDefinition(set), name));
    this.#services.set(name, client);
    return client;
  }

  async #describe(name: string) {
    const files = new Map<string, FileDescriptorProto>();
    let wanted: ReflectionRequest[] = [{ file_containing_symbol: name }];
    while (wanted.length > 0) {
      for (const response of await this.#reflect(wanted)) {
        if (response.error_response) throw new Error(`reflection: ${response.error_response.error_message}`);
        for (const bytes of response.file_descriptor_response?.file_descriptor_proto ?? []) {
          const file = fromBinary(FileDescriptorProtoSchema, bytes);
          files.set(file.name, file);
        }
      }
      const missing = [...files.values()].flatMap((file) => file.dependency).filter((path) => !files.has(path));
      wanted = [...new Set(missing)].map((path) => ({ file_by_filename: path }));
    }
    const set = create(FileDescriptorSetSchema, { file: [...files.values()] });
    return loadFileDescriptorSetFromBuffer(Buffer.from(toBinary(FileDescriptorSetSchema, set)), OPTIONS);
  }

  async #reflect(requests: readonly ReflectionRequest[]): Promise<ReflectionResponse[]> {
    const path = createRequire(import.meta.url).resolve(REFLECTION_PROTO);
    const client = this.#open(loadPackageDefinition(loadSync(path, OPTIONS)), "grpc.reflection.v1.ServerReflection");
    const start = (client as unknown as Readonly<Record<string, () => unknown>>).ServerReflectionInfo;
    const stream = start?.call(client) as ClientDuplexStream<ReflectionRequest, ReflectionResponse>;
    for (const request of requests) stream.write(request);
    stream.end();
    const responses: ReflectionResponse[] = [];
    const read = async (): Promise<void> => {
      for await (const response of stream) responses.push(response as ReflectionResponse);
    };
    await within(PATIENCE_MS, "the server's reflection", read());
    return responses;
  }

  #open(root: GrpcObject, name: string): Client {
    const found = name
      .split(".")
      .reduce<unknown>((at, part) => (at as Readonly<Record<string, unknown>> | undefined)?.[part], root);
    if (found === undefined) throw new Error(`no service ${name} in its own descriptors`);
    const client = new (found as ServiceClientConstructor)(this.#address, credentials.createInsecure());
    this.#clients.push(client);
    return client;
  }
}
