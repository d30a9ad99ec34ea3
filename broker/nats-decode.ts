import { fromBinary } from "@bufbuild/protobuf";
import { type Event, type Signal, SignalSchema } from "../gen/baccarat/v1/event_pb.ts";
import type { Logger } from "../services/log.ts";
import { readEvent } from "./event-bytes.ts";

/**
 * Reads what came over the wire. Anybody with access to NATS can publish there, so bytes that are no event are counted,
 * logged and passed over; they must not stop a process.
 */
export class Decoder {
  readonly #log: Logger;
  #failures = 0;

  constructor(options: { readonly log: Logger }) {
    this.#log = options.log;
  }

  /** How many messages could not be read. */
  get failures(): number {
    return this.#failures;
  }

  event(data: Uint8Array, seq: number): Event | undefined {
    try {
      return readEvent(data);
    } catch (error) {
      return this.#failed(error, { seq });
    }
  }

  signal(data: Uint8Array): Signal | undefined {
    try {
      return fromBinary(SignalSchema, data);
    } catch (error) {
      return this.#failed(error, {});
    }
  }

  #failed(error: unknown, where: object): undefined {
    this.#failures++;
    this.#log.error({ err: error, ...where }, "a message in NATS cannot be read");
  }
}
