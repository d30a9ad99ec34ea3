import type { RoomId } from "../services/ids.ts";

/** Where a conversation ends, as the control plane saw it. */
interface Head {
  readonly room: RoomId;
  readonly seq: number;
}

/**
 * Up to which position every direct event was heard, by digests that follow one another without a gap: each of them
 * names the conversations that grew in its stretch of the log.
 */
export class DirectProgress {
  readonly #last: (room: RoomId) => number;
  readonly #behind = new Map<RoomId, number>();
  /** Up to here digests have told everything. */
  #told = 0;
  #seq = 0;

  /** @param options.last position up to which a conversation was heard, 0 when it was not. */
  constructor(options: { readonly last: (room: RoomId) => number }) {
    this.#last = options.last;
  }

  /** Every direct event up to here was heard; 0 before the first digest. */
  get seq(): number {
    return this.#seq;
  }

  /** Conversations that were told to be further than was heard. */
  get behind(): readonly RoomId[] {
    return [...this.#behind.keys()];
  }

  /** Takes a digest; `after` and `seq` are the stretch of the log it covers, `seq` is 0 when it covers none. */
  expect(heads: readonly Head[], after: number, seq: number): void {
    for (const { room, seq: head } of heads) {
      if (this.#last(room) < head) this.#behind.set(room, Math.max(head, this.#behind.get(room) ?? 0));
    }
    if (after <= this.#told) this.#told = Math.max(this.#told, seq);
    this.settle();
  }

  /** Looks whether what was behind was heard by now. */
  settle(): void {
    for (const [room, head] of this.#behind) if (this.#last(room) >= head) this.#behind.delete(room);
    if (this.#behind.size === 0) this.#seq = this.#told;
  }
}
