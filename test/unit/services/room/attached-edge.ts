import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { onTestFinished } from "vitest";
import {
  type AttachRequest,
  AttachRequestSchema,
  type EdgeCommandSchema,
  type EdgeUpdate,
  type Joined,
  type JoinSchema,
  type Reply,
} from "../../../../gen/baccarat/v1/edge_service_pb.ts";
import { fromErrorReason } from "../../../../services/errors.ts";
import type { ControlPlane } from "../../../../services/room/control-plane.ts";
import { eventually, within } from "../../../support/eventually.ts";

type Command = NonNullable<MessageInitShape<typeof EdgeCommandSchema>["command"]>;
type Update = EdgeUpdate["update"];
type Kind = NonNullable<Update["case"]>;
type ValueOf<K extends Kind> = Extract<Update, { case: K }>["value"];

/** Plays an edge on one Attach stream: says what it is told to say and remembers what it hears, in order. */
export class AttachedEdge {
  readonly incarnation: string;
  /** Everything heard, in order. */
  readonly heard: Update[] = [];
  /** Settles when the stream is over: with what ended it, or undefined. */
  readonly ended: Promise<unknown>;
  readonly #waiting: AttachRequest[] = [];
  readonly #replies = new Map<number, (reply: Reply["result"]) => void>();
  readonly #abort = new AbortController();
  #wake: () => void = () => undefined;
  #closed = false;
  #requestId = 0;

  constructor(plane: ControlPlane, incarnation: string, options: { edgeId?: string; hello?: boolean } = {}) {
    this.incarnation = incarnation;
    if (options.hello !== false) {
      this.#waiting.push(create(AttachRequestSchema, { hello: { edgeId: options.edgeId ?? "edge", incarnation } }));
    }
    this.ended = this.#read(plane);
    onTestFinished(() => this.cut());
  }

  /** Attaches with nothing to say. */
  static async open(plane: ControlPlane, incarnation: string): Promise<AttachedEdge> {
    const edge = new AttachedEdge(plane, incarnation);
    await edge.sync();
    return edge;
  }

  /** Says things without asking for answers. */
  say(...commands: Command[]): void {
    this.#send(commands.map((command) => ({ command })));
  }

  /** Asks, and waits for the answer. */
  ask(command: Command): Promise<Reply["result"]> {
    const requestId = ++this.#requestId;
    const { promise, resolve } = Promise.withResolvers<Reply["result"]>();
    this.#replies.set(requestId, resolve);
    this.#send([{ requestId, command }]);
    return within(8_000, `the answer to ${command.case}`, promise, () => ` after ${JSON.stringify(this.kinds())}`);
  }

  /** Says that everything was said, and waits until it is in step. */
  async sync(): Promise<void> {
    await this.ask({ case: "syncEnd", value: {} });
  }

  connect(
    clientId: string,
    uid: string,
    more: { sessionHash?: string; roles?: string[]; rooms?: string[] } = {},
  ): void {
    this.say(connectCommand(clientId, uid, more));
  }

  /** Joins, and says how it went: `joined`, or the reason why not. */
  async join(clientId: string, roomId: string): Promise<string> {
    return outcome(await this.ask({ case: "join", value: { clientId, roomId } }));
  }

  /** Joins for the answer. */
  async joined(
    clientId: string,
    roomId: string,
    more: Omit<MessageInitShape<typeof JoinSchema>, "$typeName"> = {},
  ): Promise<Joined> {
    const result = await this.ask({ case: "join", value: { clientId, roomId, ...more } });
    if (result.case !== "joined") throw new Error(`not joined: ${outcome(result)}`);
    return result.value;
  }

  async leave(clientId: string, roomId: string, reason = "left"): Promise<void> {
    await this.ask({ case: "leave", value: { clientId, roomId, reason } });
  }

  /** What kinds of updates were heard, but for replies, and for digests and revocations that name none. */
  kinds(): string[] {
    return this.heard.flatMap((update) => {
      if (update.case === undefined || update.case === "reply") return [];
      if (update.case === "digest" && update.value.heads.length === 0) return [];
      return update.case === "revoked" && update.value.revocations.length === 0 ? [] : [update.case];
    });
  }

  /** Updates of one kind so far. */
  all<K extends Kind>(kind: K): ValueOf<K>[] {
    return this.heard.flatMap((update) => (update.case === kind ? [update.value as ValueOf<K>] : []));
  }

  /** The next update of a kind that fits, past ones included. */
  async hears<K extends Kind>(kind: K, fits: (value: ValueOf<K>) => boolean = () => true): Promise<ValueOf<K>> {
    const found = await eventually(`an update ${kind} at ${this.incarnation}`, () => this.#first(kind, fits), {
      state: () => this.heard,
    });
    return found.value;
  }

  /** Ends the stream as a lost connection does. */
  async cut(): Promise<void> {
    this.#closed = true;
    this.#abort.abort();
    this.#wake();
    await this.ended;
  }

  #first<K extends Kind>(kind: K, fits: (value: ValueOf<K>) => boolean): { value: ValueOf<K> } | undefined {
    const [value] = this.all(kind).filter(fits);
    return value === undefined ? undefined : { value };
  }

  #send(commands: MessageInitShape<typeof EdgeCommandSchema>[]): void {
    this.#waiting.push(create(AttachRequestSchema, { commands }));
    this.#wake();
  }

  async *#requests(): AsyncGenerator<AttachRequest> {
    while (!this.#closed) {
      const request = this.#waiting.shift();
      if (request !== undefined) {
        yield request;
        continue;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  async #read(plane: ControlPlane): Promise<unknown> {
    try {
      for await (const { updates } of plane.attachments.attach(this.#requests(), this.#abort.signal)) {
        for (const { update } of updates) {
          this.heard.push(update);
          if (update.case === "reply") this.#replies.get(update.value.requestId)?.(update.value.result);
        }
      }
      return undefined;
    } catch (error) {
      return error;
    } finally {
      this.#closed = true;
      this.#wake();
    }
  }
}

/** A connection's registration. */
export function connectCommand(
  clientId: string,
  uid: string,
  more: { sessionHash?: string; roles?: string[]; rooms?: string[] } = {},
): Command {
  const client = { clientId, uid, username: `name of ${uid}` };
  return { case: "connect", value: { client, roomsLimited: more.rooms !== undefined, ...more } };
}

/** `joined`, or the reason of a failure, or the kind of any other answer. */
export function outcome(result: Reply["result"]): string {
  return result.case === "failure" ? fromErrorReason(result.value.reason) : (result.case ?? "nothing");
}
