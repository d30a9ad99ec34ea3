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
  readonly #ofRooms: boolean;
  readonly #onDigest: (digest: Digest) => void;
  /** Of rooms with members only: who joins an empty room is told its position. */
  readonly #heads = new Map<RoomId, number>();
  readonly #grown = new Map<RoomId, number>();
  /** Position up to which everything was told. */
  #told: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #unsubscribe: Unsubscribe[] = [];

  /**
   * @param options.ofRooms false where no live event can be lost (Broker.losesLive): then only conversations are told of,
   * since edges learn by that how far they have heard them.
   * @param options.onDigest hears every DIGEST_MS which rooms' logs grew, if any did.
   */
  constructor(options: {
    tail: SharedTail;
    fold: ControlFold;
    ofRooms: boolean;
    onDigest: (digest: Digest) => void;
  }) {
    this.#tail = options.tail;
    this.#fold = options.fold;
    this.#ofRooms = options.ofRooms;
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
    const after = this.#told ?? this.#tail.from;
    const seq = this.#tail.position;
    if (!this.#tail.caughtUp || (this.#grown.size === 0 && seq === after)) return;
    const heads = [...this.#grown].map(([room, seq]) => ({ room, seq }));
    this.#grown.clear();
    this.#told = seq;
    this.#onDigest({ heads, after, seq });
  }

  #grew(room: RoomId, seq: number): void {
    if (directUsers(room)) this.#grown.set(room, seq);
    else if (this.#ofRooms && (this.#fold.room(room)?.members.size ?? 0) > 0) {
      this.#heads.set(room, seq);
      this.#grown.set(room, seq);
    }
  }
}
