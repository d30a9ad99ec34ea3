import { setImmediate as nextTurn } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { EdgeCommandSchema } from "../gen/baccarat/v1/edge_service_pb.ts";
import { FIXED } from "../services/limits.ts";

type EdgeCommandInit = MessageInitShape<typeof EdgeCommandSchema>;

/** Most bytes of one request, and how they are reckoned: a command is ids and numbers, but for what tokens and moderators say. */
const BATCH_BYTES = 512 * 1024;
const COMMAND_BYTES = 512;
const BYTES_PER_CHARACTER = 3;
const BYTES_PER_CODE_POINT = 4;
/** Commands that wait for a stream that does not take them. */
const MAX_WAITING = 100_000;

/** What is said on one stream, collected per turn of the event loop: one request for all that happened in it. */
export class CommandQueue {
  readonly #onOverflow: () => void;
  #commands: EdgeCommandInit[];
  #closed = false;
  #wake: () => void = () => undefined;

  /** `onOverflow` hears that the stream does not keep up: what is pushed from then on is dropped. */
  constructor(options: { readonly initial: EdgeCommandInit[]; readonly onOverflow: () => void }) {
    this.#commands = options.initial;
    this.#onOverflow = options.onOverflow;
  }

  /** Adds a command. */
  push(command: EdgeCommandInit): void {
    if (this.#closed) return;
    if (this.#commands.length >= MAX_WAITING) {
      this.close();
      this.#onOverflow();
      return;
    }
    this.#commands.push(command);
    this.#wake();
  }

  /** Yields what was pushed, batch by batch, until the queue is closed. */
  async *batches(): AsyncGenerator<EdgeCommandInit[]> {
    while (!this.#closed) {
      if (this.#commands.length === 0) await this.#something();
      await nextTurn();
      const commands = this.#commands;
      this.#commands = [];
      for (let start = 0; start < commands.length && !this.#closed; ) {
        const end = batchEnd(commands, start);
        yield commands.slice(start, end);
        start = end;
      }
    }
  }

  /** Ends the batches; what is left is dropped. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#commands = [];
    this.#wake();
  }

  #something(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    return promise;
  }
}

function batchEnd(commands: readonly EdgeCommandInit[], start: number): number {
  let end = start;
  for (let bytes = 0; end < commands.length; end++) {
    bytes += sizeOf(commands[end]);
    if (bytes > BATCH_BYTES && end > start) break;
  }
  return end;
}

function sizeOf(command: EdgeCommandInit | undefined): number {
  if (command?.command?.case === "moderate") return COMMAND_BYTES + FIXED.reasonChars * BYTES_PER_CODE_POINT;
  if (command?.command?.case !== "connect") return COMMAND_BYTES;
  const { rooms = [], roles = [] } = command.command.value;
  const characters = [...rooms, ...roles].reduce((sum, text) => sum + text.length, 0);
  return 2 * COMMAND_BYTES + characters * BYTES_PER_CHARACTER;
}
