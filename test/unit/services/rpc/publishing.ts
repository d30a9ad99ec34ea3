import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import type {
  PublishAck,
  PublishFailure,
  PublishItemSchema,
  PublishResult,
  PublishStreamRequestSchema,
  PublishStreamResponse,
  RoomService,
} from "../../../../gen/baccarat/v1/room_service_pb.ts";
import { PATIENCE_MS, within } from "../../../support/eventually.ts";

/** What an item holds. */
export type Content = NonNullable<MessageInitShape<typeof PublishItemSchema>["content"]>;

/** A message to a room. */
export function says(roomId: string, message: string, more: { idempotencyKey?: string; uid?: string } = {}): Content {
  return { case: "sendMessage", value: { roomId, message, ...more } };
}

/** A message to a user. */
export function writes(toUid: string, message: string): Content {
  return { case: "sendMessage", value: { toUid, message } };
}

/** One PublishStream, seen from its caller. Items are numbered from 1 on. */
export class Publishing {
  readonly responses: PublishStreamResponse[] = [];
  readonly #leaving = new AbortController();
  readonly #responses: AsyncIterator<PublishStreamResponse>;
  #waiting: MessageInitShape<typeof PublishItemSchema>[] = [];
  #sent = 0;
  #finished = false;
  #wake = Promise.withResolvers<void>();

  constructor(rooms: Client<typeof RoomService>, headers: Record<string, string> = {}) {
    const options = { headers, signal: this.#leaving.signal };
    this.#responses = rooms.publishStream(this.#requests(), options)[Symbol.asyncIterator]();
  }

  /** Every result so far, in the order of arrival. */
  get results(): PublishResult[] {
    return this.responses.flatMap(({ results }) => results);
  }

  /** Sends items in one request; returns the number of the first one. */
  send(...contents: Content[]): number {
    const first = this.#sent + 1;
    for (const content of contents) this.#waiting.push({ number: ++this.#sent, content });
    this.#wake.resolve();
    return first;
  }

  /** Reads until every item has its result; returns these in the order of the items. */
  async settled(): Promise<PublishResult["result"][]> {
    while (this.results.length < this.#sent) {
      if ((await this.next()) === undefined) throw new Error(`the stream ended after ${this.results.length} results`);
    }
    return this.results.toSorted((a, b) => a.number - b.number).map(({ result }) => result);
  }

  /** The next response; undefined at the end. */
  async next(): Promise<PublishStreamResponse | undefined> {
    const heard = () => `; heard ${this.results.length} results for ${this.#sent} items`;
    const step = await within(PATIENCE_MS, "a response of PublishStream", this.#responses.next(), heard);
    if (step.done) return undefined;
    this.responses.push(step.value);
    return step.value;
  }

  /** Sends nothing more. */
  finish(): void {
    this.#finished = true;
    this.#wake.resolve();
  }

  /** Leaves without waiting for anything. */
  leave(): void {
    this.#leaving.abort();
    this.finish();
  }

  async *#requests(): AsyncGenerator<MessageInitShape<typeof PublishStreamRequestSchema>> {
    for (;;) {
      if (this.#waiting.length > 0) {
        const items = this.#waiting;
        this.#waiting = [];
        yield { items };
      } else if (this.#finished) {
        return;
      } else {
        this.#wake = Promise.withResolvers();
        await this.#wake.promise;
      }
    }
  }
}

/** The ack of an item that must have one. */
export function ack(result: PublishResult["result"] | undefined): PublishAck {
  if (result?.case !== "ack") throw new Error(`not acknowledged: ${JSON.stringify(result?.value)}`);
  return result.value;
}

/** The failure of an item that must have failed. */
export function failure(result: PublishResult["result"] | undefined): PublishFailure {
  if (result?.case !== "failure") throw new Error(`not failed: ${result?.case}`);
  return result.value;
}
