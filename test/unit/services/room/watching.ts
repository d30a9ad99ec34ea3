import type { Event, Position } from "../../../../gen/baccarat/v1/event_pb.ts";
import type { WatchRoomResponse } from "../../../../gen/baccarat/v1/room_service_pb.ts";
import { PATIENCE_MS, within } from "../../../support/eventually.ts";

/** Reads a WatchRoom stream, in process or over the network, and remembers what it said. */
export class Watching {
  readonly responses: WatchRoomResponse[] = [];
  readonly #leaving = new AbortController();
  readonly #responses: AsyncIterator<WatchRoomResponse>;

  /** @param watch opens the stream, which is to end when the signal aborts. */
  constructor(watch: (signal: AbortSignal) => AsyncIterable<WatchRoomResponse>) {
    this.#responses = watch(this.#leaving.signal)[Symbol.asyncIterator]();
  }

  /** Every event so far. */
  get events(): Event[] {
    return this.responses.flatMap(({ events }) => events);
  }

  /** Seqs of every event so far. */
  get seqs(): number[] {
    return this.events.map(({ seq }) => Number(seq));
  }

  /** Texts of the messages so far. */
  get texts(): string[] {
    return this.events.flatMap(({ body }) => (body.case === "message" ? [body.value.message] : []));
  }

  /** Where the last response says to go on. */
  get position(): Position {
    const position = this.responses.at(-1)?.position;
    if (position === undefined) throw new Error("no position was heard");
    return position;
  }

  /** The next response; undefined at the end. */
  async next(): Promise<WatchRoomResponse | undefined> {
    const heard = () => `; heard ${this.events.length} events in ${this.responses.length} responses`;
    const result = await within(PATIENCE_MS, "a response of WatchRoom", this.#responses.next(), heard);
    if (result.done) return undefined;
    this.responses.push(result.value);
    return result.value;
  }

  /** Reads until there are so many events. */
  async count(events: number): Promise<this> {
    while (this.events.length < events) {
      if ((await this.next()) === undefined) throw new Error(`the stream ended after ${this.events.length} events`);
    }
    return this;
  }

  /** Reads until the position is at least this. */
  async reaches(seq: number): Promise<this> {
    while (this.responses.length === 0 || Number(this.position.seq) < seq) {
      if ((await this.next()) === undefined) throw new Error(`the stream ended before ${seq}`);
    }
    return this;
  }

  /** Reads on to the error by which the stream ends. */
  async fails(): Promise<unknown> {
    try {
      while ((await this.next()) !== undefined);
    } catch (error) {
      return error;
    }
    throw new Error("the stream ended well");
  }

  /** Leaves the stream. */
  leave(): void {
    this.#leaving.abort();
  }
}
