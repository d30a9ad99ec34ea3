import { setImmediate as endOfTurn } from "node:timers/promises";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type PublishItem,
  type PublishResult,
  PublishResultSchema,
  type PublishStreamRequest,
  type PublishStreamResponse,
  PublishStreamResponseSchema,
} from "../../gen/baccarat/v1/room_service_pb.ts";
import { RoomError, toErrorReason, toRoomError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Metrics } from "../metrics.ts";

/**
 * Stores an item in its turn within a lane. An item for a room is handed to the broker before the call returns, so that
 * calls are stored in their order; one for a user is not.
 */
export type StoreItem = (
  item: PublishItem,
  lane: object,
) => Promise<{ readonly seq: number; readonly duplicate: boolean }>;

/** Streams of one replica at a time. */
const MAX_STREAMS = 256;
/** Items of one stream that were read and whose results were not sent: more are not read until then. */
export const MAX_ITEMS = 1_024;

/** RoomService.PublishStream. */
export class PublishStreams {
  readonly #epoch: string;
  readonly #log: Logger;
  readonly #metrics: Metrics | undefined;
  readonly #open = new Set<PublishStream>();

  constructor(options: { epoch: string; log: Logger; metrics?: Metrics | undefined }) {
    this.#epoch = options.epoch;
    this.#log = options.log;
    this.#metrics = options.metrics;
  }

  /** How many streams are open. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * Serves one stream: ends when the requests do and all their items are settled, or when the signal aborts.
   * @throws RoomError unavailable; what reading the requests threw.
   */
  async *serve(
    requests: AsyncIterable<PublishStreamRequest>,
    store: StoreItem,
    signal: AbortSignal,
  ): AsyncGenerator<PublishStreamResponse> {
    if (this.#open.size >= MAX_STREAMS) throw new RoomError("unavailable", "too many streams publish here");
    const stream = new PublishStream({ store, epoch: this.#epoch, log: this.#log, metrics: this.#metrics });
    this.#open.add(stream);
    this.#metrics?.publishStreams.inc();
    const cancel = (): void => stream.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    if (signal.aborted) cancel();
    void stream.read(requests);
    try {
      yield* stream.responses();
    } finally {
      cancel();
      signal.removeEventListener("abort", cancel);
      this.#open.delete(stream);
      this.#metrics?.publishStreams.dec();
    }
  }

  /** Ends every stream; what becomes of items under way is not told. */
  close(): void {
    for (const stream of this.#open) stream.fail(new RoomError("unavailable", "this replica is stopping"));
  }
}

/** One stream, which is one lane: what it sends to one room is stored in the order sent. */
class PublishStream {
  readonly #store: StoreItem;
  readonly #epoch: string;
  readonly #log: Logger;
  readonly #metrics: Metrics | undefined;
  /** Items for one user that wait for an earlier one, which may take longer on its way to the broker. */
  readonly #turns = new Map<string, PublishItem[]>();
  #results: PublishResult[] = [];
  #held = 0;
  #end: { readonly error: unknown } | undefined;
  #cancelled = false;
  #wake = Promise.withResolvers<void>();
  #space = Promise.withResolvers<void>();

  constructor(options: { store: StoreItem; epoch: string; log: Logger; metrics: Metrics | undefined }) {
    this.#store = options.store;
    this.#epoch = options.epoch;
    this.#log = options.log;
    this.#metrics = options.metrics;
  }

  /** Reads requests to their end, as fast as items are settled and results are taken. Never rejects. */
  async read(requests: AsyncIterable<PublishStreamRequest>): Promise<void> {
    try {
      for await (const { items } of requests) {
        for (const item of items) {
          while (this.#held >= MAX_ITEMS && !this.#cancelled) await this.#space.promise;
          if (this.#cancelled) return;
          this.#held++;
          this.#start(item);
        }
      }
      this.#end ??= { error: undefined };
      this.#wake.resolve();
    } catch (error) {
      this.fail(error);
    }
  }

  /**
   * Results as items are settled: those of one turn in one response. To be read once.
   * @throws at once what ended the stream, since by then the caller may be cut off: what it is not told it has to retry.
   */
  async *responses(): AsyncGenerator<PublishStreamResponse> {
    for (;;) {
      if (this.#end?.error !== undefined) throw this.#end.error;
      if (this.#cancelled) return;
      if (this.#results.length > 0) {
        const results = this.#results;
        this.#results = [];
        this.#held -= results.length;
        this.#space.resolve();
        this.#space = Promise.withResolvers();
        yield create(PublishStreamResponseSchema, { results, epoch: this.#epoch });
      } else if (this.#end !== undefined && this.#held === 0) {
        return;
      } else {
        this.#wake = Promise.withResolvers();
        await this.#wake.promise;
        if (this.#end === undefined) await endOfTurn();
      }
    }
  }

  /** Reads nothing and tells nothing any more; what is under way is still stored. Idempotent. */
  cancel(): void {
    this.#cancelled = true;
    this.#space.resolve();
    this.#wake.resolve();
  }

  /** The same with an error for the caller. */
  fail(error: unknown): void {
    this.#end = { error };
    this.cancel();
  }

  #start(item: PublishItem): void {
    const recipient = recipientOf(item);
    if (recipient === undefined) {
      void this.#settle(item);
      return;
    }
    const waiting = this.#turns.get(recipient);
    if (waiting !== undefined) waiting.push(item);
    else void this.#inTurn(recipient, item);
  }

  async #inTurn(recipient: string, first: PublishItem): Promise<void> {
    const waiting: PublishItem[] = [];
    this.#turns.set(recipient, waiting);
    for (let item: PublishItem | undefined = first; item !== undefined; item = waiting.shift()) {
      const outcome = await this.#settle(item);
      if (outcome !== "unknown") continue;
      // As in a room: what was sent after it may not be stored before it.
      const behind = new RoomError("unavailable", "an earlier message of this stream was not confirmed");
      for (const { number } of waiting.splice(0)) this.#failed(number, behind);
    }
    this.#turns.delete(recipient);
  }

  async #settle(item: PublishItem): Promise<"known" | "unknown"> {
    try {
      const { seq, duplicate } = await this.#store(item, this);
      this.#metrics?.publishesTotal.inc({ outcome: duplicate ? "duplicate" : "ok" });
      this.#push(item.number, { case: "ack", value: { seq: BigInt(seq), duplicate } });
      return "known";
    } catch (error) {
      const known = toRoomError(error, (err, correlationId) =>
        this.#log.error({ err, correlationId }, "an item of a publish stream failed unexpectedly"),
      );
      this.#failed(item.number, known);
      return known.reason === "unavailable" ? "unknown" : "known";
    }
  }

  #failed(number: number, { reason, message, retryable, retryAfterMs }: RoomError): void {
    this.#metrics?.publishesTotal.inc({ outcome: "error" });
    const value = { reason: toErrorReason(reason), message, retryable, retryAfterMs: Math.ceil(retryAfterMs) };
    this.#push(number, { case: "failure", value });
  }

  #push(number: number, result: ResultInit): void {
    this.#results.push(create(PublishResultSchema, { number, result }));
    this.#wake.resolve();
  }
}

type ResultInit = NonNullable<MessageInitShape<typeof PublishResultSchema>["result"]>;

/** From whom to whom a direct message is; undefined for what goes to a room. */
function recipientOf({ content }: PublishItem): string | undefined {
  if (content.case !== "sendMessage" || content.value.toUid === "") return undefined;
  return JSON.stringify([content.value.uid, content.value.toUid]);
}
