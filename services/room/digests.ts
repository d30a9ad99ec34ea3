import type { Unsubscribe } from "../../broker/broker.ts";
import { directUsers, type RoomId } from "../ids.ts";
import type { ControlFold } from "./control-fold.ts";
import type { SharedTail } from "./watch-tail.ts";

/** How often edges hear where their rooms' logs end, in milliseconds: a lost tail is found within twice this. */
const DIGEST_MS = 5_000;
/** How much of the log is to be heard again at start, so that what was lost while no replica ran is found too. */
export const LOOK_BACK = 10_000;

/** Where a room's log ends. */
export interface Head {
  readonly room: RoomId;
  readonly seq: number;
}

/** What grew. */
export interface Digest {
  readonly heads: readonly Head[];
  /** Every direct conversation that grew after this position … */
  readonly after: number;
  /** … and up to this one is among the heads. */
  readonly seq: number;
}

/**
 * Follows the whole log and says from time to time where the logs of rooms end that grew: live delivery may lose a room's
 * last event, and nothing after it would show the hole.
 */
export class Digests {
  readonly #tail: SharedTail;
  readonly #fold: ControlFold;
  readonly #onDigest: (digest: Digest) => void;
  /** Of rooms with members only: who joins an empty room is told its position. */
  readonly #heads = new Map<RoomId, number>();
  readonly #grown = new Map<RoomId, number>();
  /** Position up to which everything was told. */
  #told: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #unsubscribe: Unsubscribe[] = [];

  /** @param options.onDigest hears every DIGEST_MS which rooms' logs grew, if any did. */
  constructor(options: { tail: SharedTail; fold: ControlFold; onDigest: (digest: Digest) => void }) {
    this.#tail = options.tail;
    this.#fold = options.fold;
    this.#onDigest = options.onDigest;
  }

  /** To be called before the tail starts. */
  start(): void {
    this.#unsubscribe = [
      this.#tail.listen(({ room, seq }) => this.#grew(room, seq)),
      this.#fold.onChange((change) => {
        if (change.kind === "exited" && change.room.members.size === 0) this.#heads.delete(change.room.id);
      }),
    ];
    this.#timer = setInterval(() => this.flush(), DIGEST_MS);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  /** Where the log of a room with members ends, as far as this replica has seen. */
  head(room: RoomId): number | undefined {
    return this.#heads.get(room);
  }

  /** Says now what would be said at the end of the interval. */
  flush(): void {
    if (this.#grown.size === 0 || !this.#tail.caughtUp) return;
    const heads = [...this.#grown].map(([room, seq]) => ({ room, seq }));
    this.#grown.clear();
    const after = this.#told ?? this.#tail.from;
    this.#told = this.#tail.position;
    this.#onDigest({ heads, after, seq: this.#told });
  }

  #grew(room: RoomId, seq: number): void {
    const hasMembers = (this.#fold.room(room)?.members.size ?? 0) > 0;
    if (hasMembers) this.#heads.set(room, seq);
    if (hasMembers || directUsers(room)) this.#grown.set(room, seq);
  }
}
