import { FIXED } from "../services/limits.ts";
import type { Logger } from "../services/log.ts";
import { Gate } from "./gate.ts";
import type { JetStreamApi } from "./nats-api.ts";
import { Feed } from "./nats-feed.ts";
import type { NatsLink } from "./nats-link.ts";

/** A scan walks over every other room's messages inside the server, one scan after the other: 85 ms per million. */
const SCANS = { running: 4, waiting: 100 };

/** Finds a room's seqs by reading the whole log through a filter: the last resort where no index has them. */
export class Scanner {
  readonly #link: NatsLink;
  readonly #api: JetStreamApi;
  readonly #log: Logger;
  readonly #stream: string;
  readonly #gate = new Gate(SCANS);

  constructor(options: {
    readonly link: NatsLink;
    readonly api: JetStreamApi;
    readonly log: Logger;
    readonly stream: string;
  }) {
    this.#link = options.link;
    this.#api = options.api;
    this.#log = options.log;
    this.#stream = options.stream;
  }

  /**
   * Seqs of a room's stored events, ascending: all of them, or at least the `latest` latest. Reflects everything
   * acknowledged before the call.
   * @throws RoomError unavailable.
   */
  async seqs(subject: string, latest: number): Promise<number[]> {
    const head = await this.#api.message(this.#stream, { last_by_subj: subject });
    return head === undefined ? [] : this.#gate.run(() => this.#scan(subject, head.seq, latest));
  }

  async #scan(subject: string, end: number, latest: number): Promise<number[]> {
    const seqs: number[] = [];
    const feed = new Feed({
      link: this.#link,
      api: this.#api,
      log: this.#log,
      stream: this.#stream,
      filter: subject,
      headersOnly: true,
      start: { after: 0 },
      onMessage: ({ seq }) => {
        seqs.push(seq);
        // Twice as many, so that cutting costs little.
        if (seqs.length >= 2 * latest) seqs.splice(0, seqs.length - latest);
      },
    });
    try {
      await feed.reached(end, FIXED.requestMs);
      return seqs;
    } finally {
      feed.stop();
    }
  }
}
