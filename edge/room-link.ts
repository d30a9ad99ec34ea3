import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Client, createClient, type Transport } from "@connectrpc/connect";
import {
  type AttachRequestSchema,
  EdgeService,
  type EdgeUpdate,
  type Reply,
} from "../gen/baccarat/v1/edge_service_pb.ts";
import { backoffMs } from "../services/backoff.ts";
import { fromErrorReason, RoomError } from "../services/errors.ts";
import { FIXED } from "../services/limits.ts";
import type { Logger } from "../services/log.ts";
import type { TraceParent } from "../services/tracing.ts";
import { CommandQueue } from "./command-queue.ts";
import type { Command } from "./roster.ts";

/** Answer to a command that succeeded. */
export type Answer = Exclude<Reply["result"], { case: "failure" } | { case: undefined }>;
/** What came of a command. */
export type Outcome =
  | { readonly ok: true; readonly answer: Answer }
  | { readonly ok: false; readonly error: RoomError };
/** Something the control plane tells, other than a reply. */
export type Update = Exclude<EdgeUpdate["update"], { case: "reply" } | { case: undefined }>;

/** What a link needs. */
export interface RoomLinkOptions {
  /** RoomServices to attach to: the next one after each failure. */
  readonly transports: readonly Transport[];
  /** Who attaches; asked on every attempt, since a fenced edge starts anew. */
  readonly hello: () => { readonly edgeId: string; readonly incarnation: string };
  /** What the edge holds, said on every attempt. */
  readonly state: () => Iterable<Command>;
  /** Position up to which its users were given every direct event, 0 when not known; said after that. */
  readonly directSeq: () => number;
  /** Hears updates in their order. Answers are handed out in the same order, so that both make one sequence. */
  readonly onUpdate: (update: Update) => void;
  /** Hears that the link is up, in step, or down. */
  readonly onChange: (attached: boolean) => void;
  readonly log: Logger;
}

interface Request {
  readonly command: Command;
  readonly trace: TraceParent | undefined;
  readonly deadline: number;
  readonly done: (outcome: Outcome) => void;
}

const SWEEP_MS = 100;
const STANDSTILL_MS = 500;
/** Requests waiting for an answer; beyond that the control plane is not keeping up, and more would only wait too. */
const MAX_REQUESTS = 20_000;
const RETRY = { baseMs: 100, maxMs: 3_000 };

/**
 * The edge's one stream to the control plane (EdgeService.Attach). It is kept up by itself: a broken stream is replaced
 * by one to the next RoomService, on which the edge says again what it holds and asks again what was not answered, so
 * that a short break is not noticed by anyone. Every command can be repeated.
 */
export class RoomLink {
  readonly #options: RoomLinkOptions;
  readonly #clients: readonly Client<typeof EdgeService>[];
  readonly #requests = new Map<number, Request>();
  readonly #timer: NodeJS.Timeout;
  #lastId = 0;
  #attached = false;
  #detachedAt = performance.now();
  #sweptAt = performance.now();
  #closed = false;
  #queue: CommandQueue | undefined;
  #stop = new AbortController();
  #heardAt = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(options: RoomLinkOptions) {
    this.#options = options;
    this.#clients = options.transports.map((transport) => createClient(EdgeService, transport));
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS);
  }

  /** True while a RoomService answers and is in step. */
  get attached(): boolean {
    return this.#attached;
  }

  /** Attaches, and keeps attached until close. */
  start(): void {
    this.#running = this.#run();
  }

  /**
   * Asks. `done` is called once, in the order of the stream: with the answer, or with an error after FIXED.requestMs at
   * the latest, and at once when the link has been down for longer than that. It must not throw. `trace` is what the
   * answer is part of, if that is traced.
   */
  request(command: Command, done: (outcome: Outcome) => void, trace?: TraceParent): void {
    const now = performance.now();
    const isDown = !this.#attached && now - this.#detachedAt > FIXED.requestMs;
    if (this.#closed || isDown || this.#requests.size >= MAX_REQUESTS) {
      done({ ok: false, error: new RoomError("unavailable", "the control plane cannot be asked now") });
      return;
    }
    this.#lastId = (this.#lastId % 0xffff_ffff) + 1;
    this.#requests.set(this.#lastId, { command, trace, deadline: now + FIXED.requestMs, done });
    this.#queue?.push({ requestId: this.#lastId, command, ...(trace && { trace }) });
  }

  /** As request, for those who need no order. @throws RoomError. */
  ask(command: Command, trace?: TraceParent): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.request(command, (outcome) => (outcome.ok ? resolve(outcome.answer) : reject(outcome.error)), trace);
    return promise;
  }

  /** Says something that is part of `state` too, and so is dropped while nobody is attached. */
  tell(command: Command): void {
    this.#queue?.push({ requestId: 0, command });
  }

  /** Gives the stream up and attaches anew, elsewhere if there is an elsewhere. */
  reattach(): void {
    this.#stop.abort();
  }

  /** Ends the stream and fails what is unanswered. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#stop.abort();
    await this.#running;
    for (const [id, request] of this.#requests) this.#fail(id, request, "the edge is closing");
  }

  async #run(): Promise<void> {
    const { log, onChange } = this.#options;
    for (let attempt = 0, replica = 0; !this.#closed; replica++) {
      const client = this.#clients[replica % this.#clients.length];
      if (client === undefined) return;
      this.#stop = new AbortController();
      const error = await this.#attach(client, this.#stop.signal);
      if (this.#attached) {
        attempt = 0;
        this.#attached = false;
        this.#detachedAt = performance.now();
        onChange(false);
      }
      if (this.#closed) return;
      log.warn({ err: error, attempt }, "detached from RoomService");
      this.#stop = new AbortController();
      await pause(backoffMs(attempt++, RETRY), this.#stop.signal);
    }
  }

  /** One stream, from its first request to its end. Resolves with what ended it. */
  async #attach(client: Client<typeof EdgeService>, signal: AbortSignal): Promise<unknown> {
    const queue = new CommandQueue({ initial: [...this.#introduction()], onOverflow: () => this.reattach() });
    this.#queue = queue;
    this.#heardAt = performance.now();
    try {
      for await (const response of client.attach(speak(this.#options.hello(), queue), { signal })) {
        this.#heardAt = performance.now();
        for (const { update } of response.updates) this.#hear(update);
      }
      return new RoomError("unavailable", "RoomService ended the stream");
    } catch (error) {
      return error;
    } finally {
      this.#queue = undefined;
      queue.close();
    }
  }

  /** What a new stream begins with: what the edge holds, then what was not answered on the last one. */
  *#introduction(): Generator<{ requestId: number; command: Command; trace?: TraceParent }> {
    for (const command of this.#options.state()) yield { requestId: 0, command };
    yield { requestId: 0, command: { case: "syncEnd", value: { directSeq: BigInt(this.#options.directSeq()) } } };
    for (const [requestId, { command, trace }] of this.#requests) {
      yield { requestId, command, ...(trace && { trace }) };
    }
  }

  #hear(update: EdgeUpdate["update"]): void {
    if (update.case === "reply") this.#answer(update.value);
    else if (update.case !== undefined) this.#obey(update); // undefined: a newer version's, not for this one
  }

  #obey(update: Update): void {
    if (update.case === "attached") {
      this.#attached = true;
      this.#options.log.info("attached to RoomService");
      this.#options.onChange(true);
    }
    try {
      this.#options.onUpdate(update);
    } catch (error) {
      // One update that cannot be carried out must not keep the edge from hearing the others.
      this.#options.log.error({ err: error, update: update.case }, "an update failed");
    }
  }

  #answer({ requestId, result }: Reply): void {
    const request = this.#requests.get(requestId);
    if (request === undefined) return; // too late: its deadline has passed
    this.#requests.delete(requestId);
    request.done(outcomeOf(result));
  }

  #sweep(): void {
    const now = performance.now();
    const stoodStill = now - this.#sweptAt > STANDSTILL_MS;
    this.#sweptAt = now;
    // Answers that came while the process stood still are read before the next sweep.
    if (stoodStill) return;
    for (const [id, request] of this.#requests) {
      // All have the same time to live, so the first that is alive ends the search.
      if (request.deadline > now) return;
      // A stream on which nothing was heard since is dead, whatever TCP says.
      if (this.#heardAt < request.deadline - FIXED.requestMs) this.reattach();
      this.#fail(id, request, "the control plane does not answer");
    }
  }

  #fail(id: number, request: Request, message: string): void {
    this.#requests.delete(id);
    request.done({ ok: false, error: new RoomError("unavailable", message) });
  }
}

async function* speak(
  hello: { edgeId: string; incarnation: string },
  queue: CommandQueue,
): AsyncGenerator<MessageInitShape<typeof AttachRequestSchema>> {
  yield { hello };
  for await (const commands of queue.batches()) yield { commands };
}

function outcomeOf(result: Reply["result"]): Outcome {
  if (result.case === undefined) {
    return {
      ok: false,
      error: new RoomError("internal", "the control plane answered in a way this edge does not know"),
    };
  }
  if (result.case !== "failure") return { ok: true, answer: result };
  const { reason, message, retryAfterMs } = result.value;
  return { ok: false, error: new RoomError(fromErrorReason(reason), message, { retryAfterMs }) };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    resolve();
  });
  return promise;
}
