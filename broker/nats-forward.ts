import { Gate } from "./gate.ts";
import type { JetStreamApi, StoredMessage } from "./nats-api.ts";

/** Forward reads at a time: after a reconnect an edge asks for every room it hosts. */
const READS = { running: 32, waiting: 100_000 };

/** A room's events from a position to its end. */
export interface ForwardRows {
  readonly rows: readonly StoredMessage[];
  readonly end: number;
  readonly floor: number;
}

/**
 * Reads what a room got since a position, event by event from the stream's leader: quick when that is little, as it is
 * for whoever was there a moment ago, and needs no index.
 */
export class ForwardReader {
  readonly #api: JetStreamApi;
  readonly #stream: string;
  readonly #shown: () => Promise<number>;
  readonly #gate = new Gate(READS);

  /** @param options.shown how many of a room's latest events are certainly neither hidden nor trimmed. */
  constructor(options: {
    readonly api: JetStreamApi;
    readonly stream: string;
    readonly shown: () => Promise<number>;
  }) {
    this.#api = options.api;
    this.#stream = options.stream;
    this.#shown = options.shown;
  }

  /**
   * Everything of a room after a seq. Undefined when it is more than `limit` events or `maxBytes`, or so much that some
   * of it might be hidden: whether something was dropped cannot be told then.
   * @throws RoomError unavailable.
   */
  read(subject: string, after: number, limit: number, maxBytes: number): Promise<ForwardRows | undefined> {
    return this.#gate.run(() => this.#read(subject, after, limit, maxBytes));
  }

  async #read(subject: string, after: number, limit: number, maxBytes: number): Promise<ForwardRows | undefined> {
    const { last_seq: last } = (await this.#api.info(this.#stream)).state;
    const rows = await this.#rowsUpToHead(subject, after, limit, maxBytes);
    if (rows === undefined || rows.length > (await this.#shown())) return undefined;
    // Asked last: what retention took while we read is missing in the rows.
    const { first_seq: first } = (await this.#api.info(this.#stream)).state;
    return { rows, end: Math.max(last, rows.at(-1)?.seq ?? 0), floor: Math.max(0, first - 1) };
  }

  async #rowsUpToHead(
    subject: string,
    after: number,
    limit: number,
    maxBytes: number,
  ): Promise<StoredMessage[] | undefined> {
    // Quick, while looking for a next message where there is none walks to the end of the log.
    const head = await this.#api.message(this.#stream, { last_by_subj: subject });
    if (head === undefined || head.seq <= after) return [];
    const rows: StoredMessage[] = [];
    let bytes = 0;
    for (let next = after + 1; next <= head.seq; ) {
      const row = await this.#api.message(this.#stream, { next_by_subj: subject, seq: next });
      if (row === undefined) break;
      bytes += row.data.length;
      if (rows.length >= limit || (rows.length > 0 && bytes > maxBytes)) return undefined;
      rows.push(row);
      next = row.seq + 1;
    }
    return rows;
  }
}
