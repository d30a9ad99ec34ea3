import { create, toBinary } from "@bufbuild/protobuf";
import type { ControlStore } from "../broker/broker.ts";
import { CursorRecordSchema } from "../gen/baccarat/v1/control_pb.ts";
import { controlKeys } from "../services/control-keys.ts";
import type { Uid } from "../services/ids.ts";
import type { Logger } from "../services/log.ts";
import { within } from "../services/within.ts";
import type { DirectPosition } from "./direct-position.ts";

/** How far a user has its direct messages, and by which connection. */
export interface DirectCursor {
  readonly position: DirectPosition;
  readonly clientId: string;
  /** That connection is over. */
  readonly ended: boolean;
}

const WRITES = 32;
/** Cursors that wait to be written; of more the oldest are given up, which repeats messages to their users. */
const MAX_WAITING = 100_000;
const CLOSE_MS = 1_000;

/**
 * Writes users' cursors, straight to the broker, so that RoomService is not needed for it. Of one user one at a time, the
 * latest only; what could not be stored is tried again.
 */
export class CursorWriter {
  readonly #control: ControlStore;
  readonly #epoch: string;
  readonly #log: Logger;
  readonly #waiting = new Map<Uid, DirectCursor>();
  readonly #writing = new Map<Uid, Promise<void>>();

  constructor(options: { readonly control: ControlStore; readonly epoch: string; readonly log: Logger }) {
    this.#control = options.control;
    this.#epoch = options.epoch;
    this.#log = options.log;
  }

  /** Has a cursor written instead of any earlier one. */
  put(uid: Uid, cursor: DirectCursor): void {
    this.#waiting.delete(uid);
    this.#waiting.set(uid, cursor);
    if (this.#waiting.size > MAX_WAITING) {
      this.#waiting.delete(this.#waiting.keys().next().value as Uid);
      this.#log.warn("too many cursors wait to be stored; their users will get some direct messages again");
    }
    this.retry();
  }

  /** Writes what waits. */
  retry(): void {
    for (const [uid, cursor] of this.#waiting) {
      if (this.#writing.size >= WRITES) return;
      if (this.#writing.has(uid)) continue;
      this.#waiting.delete(uid);
      this.#writing.set(uid, this.#write(uid, cursor));
    }
  }

  /** Resolves when everything was written, or after CLOSE_MS. */
  async close(): Promise<void> {
    try {
      await within(CLOSE_MS, this.#written());
    } catch (error) {
      this.#log.warn({ err: error, cursors: this.#writing.size }, "not all cursors were stored in time");
    }
  }

  async #written(): Promise<void> {
    while (this.#writing.size > 0) await Promise.all(this.#writing.values());
  }

  async #write(uid: Uid, { position, clientId, ended }: DirectCursor): Promise<void> {
    const record = create(CursorRecordSchema, {
      epoch: this.#epoch,
      seq: BigInt(position.seq),
      ahead: [...position.ahead].map(([roomId, seq]) => ({ roomId, seq: BigInt(seq) })),
      clientId,
      ended,
    });
    let stored = false;
    try {
      await this.#control.put(controlKeys.cursor(uid), toBinary(CursorRecordSchema, record));
      stored = true;
    } catch (error) {
      this.#log.warn({ err: error }, "a cursor could not be stored");
      if (!this.#waiting.has(uid)) this.#waiting.set(uid, { position, clientId, ended });
    } finally {
      this.#writing.delete(uid);
    }
    // After a failure the next round is early enough.
    if (stored) this.retry();
  }
}
