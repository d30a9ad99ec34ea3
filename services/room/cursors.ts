import { fromBinary } from "@bufbuild/protobuf";
import type { ControlStore } from "../../broker/broker.ts";
import { CursorRecordSchema } from "../../gen/baccarat/v1/control_pb.ts";
import { controlKeys } from "../control-keys.ts";
import type { RoomId, Uid } from "../ids.ts";
import type { ControlFold } from "./control-fold.ts";
import type { FoldedClient } from "./folded.ts";

/** Up to where a user has its direct messages. */
export interface Cursor {
  /** Everything up to here, in all conversations. */
  readonly seq: number;
  /** Conversations of which it has more, and up to where. */
  readonly ahead: ReadonlyMap<RoomId, number>;
}

/** A user who has nothing. */
export const NO_CURSOR: Cursor = { seq: 0, ahead: new Map() };

/** How long a connection's last word is waited for, in milliseconds: its edge may be dead. */
const LAST_WORD_MS = 1_000;

/** Users' cursors as edges wrote them. */
export class Cursors {
  readonly #control: ControlStore;
  readonly #epoch: string;
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(options: { control: ControlStore; fold: ControlFold; epoch: string }) {
    this.#control = options.control;
    this.#epoch = options.epoch;
    options.fold.onChange((change) => {
      if (change.kind !== "client_gone" && change.kind !== "cursor_ended") return;
      for (const wake of this.#waiting.get(change.client.clientId) ?? []) wake();
    });
  }

  /** What is stored of a user; NO_CURSOR when that is nothing, or is of another log. @throws RoomError unavailable. */
  async of(uid: Uid): Promise<Cursor> {
    const value = (await this.#control.get(controlKeys.cursor(uid)))?.value;
    if (value === undefined) return NO_CURSOR;
    const { epoch, seq, ahead } = fromBinary(CursorRecordSchema, value);
    if (epoch !== this.#epoch) return NO_CURSOR;
    return { seq: Number(seq), ahead: new Map(ahead.map((head) => [head.roomId as RoomId, Number(head.seq)])) };
  }

  /** Resolves when these connections' edges have written the cursors of their ends, or after LAST_WORD_MS. */
  async settled(clients: Iterable<FoldedClient>): Promise<void> {
    const open = [...clients].filter((client) => client.value !== undefined && !client.cursorEnded);
    if (open.length === 0) return;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, LAST_WORD_MS);
    const ends = open.map(({ clientId }) => this.#ended(clientId, late));
    await Promise.race([late, Promise.all(ends)]);
    clearTimeout(timer);
    resolve();
  }

  async #ended(clientId: string, late: Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(clientId) ?? new Set();
    this.#waiting.set(clientId, waiting.add(resolve));
    await Promise.race([promise, late]);
    waiting.delete(resolve);
    if (waiting.size === 0) this.#waiting.delete(clientId);
  }
}
