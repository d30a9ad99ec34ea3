import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { createClient, type Transport } from "@connectrpc/connect";
import type { Broker } from "../../../../broker/broker.ts";
import { EdgeLeaseSchema } from "../../../../gen/baccarat/v1/control_pb.ts";
import {
  type AttachRequestSchema,
  type AttachResponse,
  type EdgeCommandSchema,
  EdgeService,
  type EdgeUpdate,
} from "../../../../gen/baccarat/v1/edge_service_pb.ts";
import { controlKeys } from "../../../../services/control-keys.ts";
import { FIXED } from "../../../../services/limits.ts";
import { PATIENCE_MS, within } from "../../../support/eventually.ts";

type Command = MessageInitShape<typeof EdgeCommandSchema>;
type Update = EdgeUpdate["update"];
type UpdateOf<C extends Update["case"]> = Extract<Update, { case: C }>["value"];

/** As much of an edge as the control plane sees: a lease and an Attach stream. */
export class EdgeStream implements AsyncDisposable {
  readonly edgeId: string;
  readonly incarnation: string;
  readonly #updates: AsyncGenerator<Update>;
  readonly #broker: Broker;
  readonly #leaving = new AbortController();
  /** However slow a test is, its edge shall not be given up. */
  readonly #renewal = setInterval(() => this.#renew(), FIXED.leaseRenewMs);
  readonly #startTime = timestampNow();
  #waiting: Command[] = [];
  #wake = Promise.withResolvers<void>();
  #requestId = 0;

  /** Writes a lease, attaches, and says that it has nothing. */
  static async attach(transport: Transport, broker: Broker, edgeId: string): Promise<EdgeStream> {
    const edge = new EdgeStream(transport, broker, edgeId);
    await edge.#renew();
    edge.send({ case: "syncEnd", value: {} });
    await edge.hears("attached");
    return edge;
  }

  private constructor(transport: Transport, broker: Broker, edgeId: string) {
    this.edgeId = edgeId;
    this.#broker = broker;
    this.incarnation = `${edgeId}.${crypto.randomUUID()}`;
    const client = createClient(EdgeService, transport);
    this.#updates = flatten(client.attach(this.#requests(), { signal: this.#leaving.signal }));
  }

  /** Sends a command; the number by which its reply is known. */
  send(command: NonNullable<Command["command"]>): number {
    const requestId = ++this.#requestId;
    this.#waiting.push({ requestId, command });
    this.#wake.resolve();
    return requestId;
  }

  /** Sends a command and waits for its reply. */
  async ask(command: NonNullable<Command["command"]>): Promise<UpdateOf<"reply">["result"]> {
    const requestId = this.send(command);
    for (;;) {
      const reply = await this.hears("reply");
      if (reply.requestId === requestId) return reply.result;
    }
  }

  /** Registers a connection of a user and joins rooms with it. */
  async join(uid: string, clientId: string, ...roomIds: string[]): Promise<void> {
    const client = {
      clientId,
      uid,
      username: uid,
      edgeId: this.edgeId,
      remoteAddr: "192.0.2.1",
      connectTime: timestampNow(),
    };
    this.send({ case: "connect", value: { client } });
    for (const roomId of roomIds) {
      const { case: result, value } = await this.ask({ case: "join", value: { clientId, roomId } });
      if (result !== "joined") throw new Error(`join of ${roomId} was answered by ${result} ${JSON.stringify(value)}`);
    }
  }

  /** The next update of a kind; what comes before it is dropped. */
  async hears<C extends NonNullable<Update["case"]>>(kind: C): Promise<UpdateOf<C>> {
    const seen: unknown[] = [];
    for (;;) {
      const next = await within(PATIENCE_MS, `${kind} from Attach`, this.#updates.next(), () => `; heard ${seen}`);
      if (next.done) throw new Error(`the stream ended before ${kind}`);
      if (next.value.case === kind) return next.value.value as UpdateOf<C>;
      seen.push(next.value.case);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#renewal);
    this.#leaving.abort();
    this.#wake.resolve();
    await this.#updates.next().catch(() => undefined);
  }

  async #renew(): Promise<void> {
    const { edgeId, incarnation } = this;
    const lease = { edgeId, incarnation, startTime: this.#startTime, renewTime: timestampNow() };
    await this.#broker.control.put(
      controlKeys.lease(incarnation),
      toBinary(EdgeLeaseSchema, create(EdgeLeaseSchema, lease)),
    );
  }

  async *#requests(): AsyncGenerator<MessageInitShape<typeof AttachRequestSchema>> {
    yield { hello: { edgeId: this.edgeId, incarnation: this.incarnation } };
    while (!this.#leaving.signal.aborted) {
      if (this.#waiting.length === 0) await this.#wake.promise;
      this.#wake = Promise.withResolvers<void>();
      const commands = this.#waiting;
      this.#waiting = [];
      yield { commands };
    }
  }
}

async function* flatten(responses: AsyncIterable<AttachResponse>): AsyncGenerator<Update> {
  for await (const { updates } of responses) for (const { update } of updates) yield update;
}
