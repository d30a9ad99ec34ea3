import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createRouterTransport, type Transport } from "@connectrpc/connect";
import {
  type AttachRequest,
  type AttachResponse,
  AttachResponseSchema,
  type EdgeCommand,
  EdgeService,
  type EdgeUpdateSchema,
  type Hello,
} from "../../../gen/baccarat/v1/edge_service_pb.ts";
import { eventually } from "../../support/eventually.ts";

type UpdateInit = NonNullable<MessageInitShape<typeof EdgeUpdateSchema>["update"]>;

/** A RoomService that says what the test tells it to. */
export class ScriptedService {
  readonly transport: Transport;
  readonly streams: ScriptedStream[] = [];
  /** Refuses every stream while true. */
  down = false;
  /** Answers nothing by itself while true. */
  mute = false;

  constructor() {
    this.transport = createRouterTransport((router) => {
      router.service(EdgeService, { attach: (requests, { signal }) => this.#attach(requests, signal) });
    });
  }

  /** The nth stream, once it is attached. */
  async stream(index: number): Promise<ScriptedStream> {
    return await eventually(`stream ${index}`, () => this.streams[index]?.isInSync && this.streams[index]);
  }

  async *#attach(requests: AsyncIterable<AttachRequest>, signal: AbortSignal): AsyncIterable<AttachResponse> {
    if (this.down) throw new ConnectError("down", Code.Unavailable);
    const stream = new ScriptedStream();
    this.streams.push(stream);
    signal.addEventListener("abort", () => stream.end());
    void stream.read(requests, () => this.mute);
    yield* stream.responses();
  }
}

/** One stream, seen from the service. */
export class ScriptedStream {
  hello: Hello | undefined;
  readonly requests: AttachRequest[] = [];
  readonly commands: EdgeCommand[] = [];
  isInSync = false;
  #updates: UpdateInit[] = [];
  #over = false;
  #wake: () => void = () => undefined;

  /** Sends updates as one batch. */
  send(...updates: UpdateInit[]): void {
    this.#updates.push(...updates);
    this.#wake();
  }

  /** Answers the latest command of a kind. */
  async reply(kind: string, result: Extract<UpdateInit, { case: "reply" }>["value"]["result"]): Promise<void> {
    const { requestId } = await this.command(kind);
    this.send({ case: "reply", value: { requestId, ...(result && { result }) } });
  }

  /** The latest command of a kind, once there is one. */
  command(kind: string): Promise<EdgeCommand> {
    return eventually(`a ${kind}`, () => this.commands.findLast(({ command }) => command.case === kind));
  }

  /** Kinds of commands heard, in order. */
  kinds(): (string | undefined)[] {
    return this.commands.map(({ command }) => command.case);
  }

  end(): void {
    this.#over = true;
    this.#wake();
  }

  async read(requests: AsyncIterable<AttachRequest>, isMute: () => boolean): Promise<void> {
    try {
      for await (const request of requests) {
        this.requests.push(request);
        if (request.hello) this.hello = request.hello;
        this.commands.push(...request.commands);
        if (isMute() || !request.commands.some(({ command }) => command.case === "syncEnd")) continue;
        this.isInSync = true;
        this.send({ case: "attached", value: { epoch: "e" } });
      }
    } catch {
      this.end(); // the edge is gone
    }
  }

  async *responses(): AsyncGenerator<AttachResponse> {
    while (!this.#over) {
      if (this.#updates.length === 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      const updates = this.#updates.splice(0).map((update) => ({ update }));
      if (updates.length > 0) yield create(AttachResponseSchema, { updates });
    }
  }
}
