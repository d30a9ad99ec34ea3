import type { RoomId } from "../services/ids.ts";
import type { HistoryPage, HistoryRange, RoomPosition, StoredEvent } from "./broker.ts";
import { Gate } from "./gate.ts";
import { lowerBound } from "./lower-bound.ts";
import type { JetStreamApi } from "./nats-api.ts";
import type { Decoder } from "./nats-decode.ts";
import type { ForwardReader } from "./nats-forward.ts";
import type { RoomView, RoomViews } from "./nats-rooms.ts";
import type { NatsNames } from "./subjects.ts";

/** Direct gets under way at a time, and waiting; 50 in parallel take 3 ms, one after the other 60 ms. */
const GETS = { running: 256, waiting: 100_000 };
/** Gets of one page at a time: a page that ends by its bytes has read at most so many in vain. */
const WAVE = 64;
/** Events may go between the view and the reading; after so many tries what is missing was taken out by hand. */
const TRIES = 3;

interface Row {
  readonly seq: number;
  readonly data: Uint8Array;
}

interface Taken {
  readonly rows: readonly Row[];
  readonly missing: number[];
  readonly hasMore: boolean;
}

/** Reads pages of rooms: seqs by the views, events by their seqs, in parallel. */
export class History {
  readonly #api: JetStreamApi;
  readonly #names: NatsNames;
  readonly #decoder: Decoder;
  readonly #views: RoomViews;
  readonly #forward: ForwardReader | undefined;
  readonly #gate = new Gate(GETS);

  constructor(options: {
    readonly api: JetStreamApi;
    readonly names: NatsNames;
    readonly decoder: Decoder;
    readonly views: RoomViews;
    /** The quick way for those without an index; undefined for those who have one. */
    readonly forward: ForwardReader | undefined;
  }) {
    this.#api = options.api;
    this.#names = options.names;
    this.#decoder = options.decoder;
    this.#views = options.views;
    this.#forward = options.forward;
  }

  /** Broker.position. */
  position(room: RoomId): Promise<RoomPosition> {
    return this.#views.position(this.#names.log(room));
  }

  /** Broker.history. */
  async page(room: RoomId, range: HistoryRange): Promise<HistoryPage> {
    const subject = this.#names.log(room);
    if (this.#forward && "after" in range) {
      const { after, limit, maxBytes = Number.POSITIVE_INFINITY } = range;
      const found = await this.#forward.read(subject, after, limit, maxBytes);
      if (found) {
        const view = { ...found, seqs: found.rows.map(({ seq }) => seq) };
        return this.#compose(room, view, found.rows, false);
      }
    }
    for (let tries = 1; ; tries++) {
      const view = await this.#views.view(subject);
      const { rows, missing, hasMore } = await this.#take(candidates(view.seqs, range), range);
      if (missing.length === 0) return this.#compose(room, view, rows, hasMore);
      if (tries === TRIES) for (const seq of missing) this.#views.missing(subject, seq);
      // A page with events missing is retried even then: the view after it is without them.
      if (tries > TRIES) return this.#compose(room, view, rows, hasMore);
    }
  }

  /** Reads candidates in the range's direction up to both bounds, one at least if there is any. */
  async #take(seqs: readonly number[], range: HistoryRange): Promise<Taken> {
    const forward = "after" in range;
    const maxBytes = range.maxBytes ?? Number.POSITIVE_INFINITY;
    const order = forward ? seqs : seqs.toReversed();
    const taken: Row[] = [];
    const missing: number[] = [];
    let bytes = 0;
    let next = 0;
    let isFull = false;
    while (!isFull && next < order.length && taken.length < range.limit) {
      const wave = order.slice(next, next + Math.min(WAVE, range.limit - taken.length));
      const found = await Promise.all(wave.map((seq) => this.#gate.run(() => this.#read(seq))));
      for (const [index, data] of found.entries()) {
        const seq = wave[index] ?? 0;
        bytes += data?.length ?? 0;
        isFull = taken.length > 0 && bytes > maxBytes;
        if (isFull) break;
        next++;
        if (data === undefined) missing.push(seq);
        else taken.push({ seq, data });
      }
    }
    return { rows: forward ? taken : taken.reverse(), missing, hasMore: next < order.length };
  }

  async #read(seq: number): Promise<Uint8Array | undefined> {
    return (await this.#api.direct(this.#names.logStream, seq))?.data;
  }

  #compose(room: RoomId, view: RoomView, rows: readonly Row[], hasMore: boolean): HistoryPage {
    const events = rows.flatMap(({ seq, data }): StoredEvent[] => {
      const event = this.#decoder.event(data, seq);
      if (event === undefined) return [];
      return [{ room, seq, prevSeq: view.seqs[lowerBound(view.seqs, seq) - 1] ?? 0, event }];
    });
    return { events, hasMore, seq: view.end, floor: view.floor };
  }
}

/** Seqs that a range asks for, ascending. */
function candidates(seqs: readonly number[], range: HistoryRange): readonly number[] {
  if ("after" in range) return seqs.slice(lowerBound(seqs, range.after + 1));
  return seqs.slice(0, lowerBound(seqs, range.before ?? Number.POSITIVE_INFINITY));
}
