import { FIXED } from "../services/limits.ts";
import type { Logger } from "../services/log.ts";
import type { RoomPosition } from "./broker.ts";
import type { JetStreamApi } from "./nats-api.ts";
import { Feed, type FeedMessage } from "./nats-feed.ts";
import { RoomIndex, type RoomWindow } from "./nats-index.ts";
import type { NatsLink } from "./nats-link.ts";
import { unavailable } from "./nats-publish.ts";
import type { Scanner } from "./nats-scan.ts";
import { DELETES_HEADER, type Wiper } from "./nats-wipe.ts";
import type { NatsNames } from "./subjects.ts";

/** What is shown of a room, as of a moment. */
export interface RoomView extends RoomWindow {
  /** End of the log at that moment: every event of the room up to here is in the window, none after it. */
  readonly end: number;
}

/** Knows what is shown of each room. */
export interface RoomViews {
  /** What is shown now, reflecting everything acknowledged before the call. @throws RoomError unavailable. */
  view(subject: string): Promise<RoomView>;
  /** Broker.position. */
  position(subject: string): Promise<RoomPosition>;
  /** Notes that an event it showed twice was not there: somebody took it out by hand. */
  missing(subject: string, seq: number): void;
}

const SWEEP_MS = 60_000;

/** How to open the index. */
export interface IndexedRoomsOptions {
  readonly link: NatsLink;
  readonly api: JetStreamApi;
  readonly log: Logger;
  readonly names: NatsNames;
  readonly index: RoomIndex;
  readonly scanner: Scanner;
  readonly wiper: Wiper;
  readonly maxMessages: number;
  /** How many of the newest events are read when it is opened. */
  readonly indexedEvents: number;
}

/** Keeps the index by hearing the whole log, without its bodies. */
export class IndexedRooms implements RoomViews {
  readonly #options: IndexedRoomsOptions;
  readonly #feed: Feed;
  readonly #sweeper: NodeJS.Timeout;

  /** Reads the log's newest events, and hears the others from then on. @throws RoomError unavailable after `withinMs`. */
  static async open(options: IndexedRoomsOptions, withinMs: number): Promise<IndexedRooms> {
    const { state } = await options.api.info(options.names.logStream);
    const first = Math.max(1, state.first_seq);
    const from = Math.max(first, state.last_seq - options.indexedEvents + 1);
    options.index.begin(first, from);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(unavailable("the log could not be read in time")), withinMs);
    const rooms = new IndexedRooms(options, from, resolve);
    try {
      // Not just up to the end: an empty log is read at once, and events may be dropped before the feed hears them.
      await promise;
      return rooms;
    } catch (error) {
      rooms.stop();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  private constructor(options: IndexedRoomsOptions, from: number, onCaughtUp: () => void) {
    this.#options = options;
    this.#feed = new Feed({
      link: options.link,
      api: options.api,
      log: options.log,
      stream: options.names.logStream,
      filter: options.names.allLog,
      headersOnly: true,
      start: { after: from - 1 },
      onMessage: (message) => this.#onMessage(message),
      onCaughtUp,
    });
    this.#sweeper = setInterval(() => options.index.sweep(), SWEEP_MS);
  }

  async view(subject: string): Promise<RoomView> {
    const { index, api, names } = this.#options;
    const mark = index.mark();
    const { first_seq: first, last_seq: last } = (await api.info(names.logStream)).state;
    if (first > last) this.#feed.skipTo(first);
    await this.#feed.reached(last, FIXED.requestMs);
    index.settle(first, mark);
    if (!index.isComplete(subject)) await this.#complete(subject);
    return { ...index.window(subject), end: Math.max(last, this.#feed.position) };
  }

  async position(subject: string): Promise<RoomPosition> {
    const { end, floor } = await this.view(subject);
    return { seq: end, floor };
  }

  missing(subject: string, seq: number): void {
    this.#options.index.delete(subject, seq);
  }

  /** Stops hearing the log. Idempotent. */
  stop(): void {
    clearInterval(this.#sweeper);
    this.#feed.stop();
  }

  async #complete(subject: string): Promise<void> {
    const { index, scanner, maxMessages } = this.#options;
    const seqs = await scanner.seqs(subject, maxMessages + 1);
    // Rooms that never were must not cost memory: anybody can ask for them.
    if (seqs.length > 0) index.fill(subject, seqs);
  }

  #onMessage({ seq, subject, msg }: FeedMessage): void {
    const { index, wiper } = this.#options;
    index.add(subject, seq);
    const deleted = Number(msg.headers?.get(DELETES_HEADER) || 0);
    if (deleted > 0 && index.delete(subject, deleted)) wiper.redo(subject, deleted);
  }
}

/** Has no index: looks through the log each time. For processes that seldom read, and little. */
export class ScannedRooms implements RoomViews {
  readonly #api: JetStreamApi;
  readonly #scanner: Scanner;
  readonly #stream: string;
  readonly #maxMessages: number;
  readonly #trimmedTo: () => Promise<number | undefined>;

  constructor(options: {
    readonly api: JetStreamApi;
    readonly scanner: Scanner;
    readonly stream: string;
    readonly maxMessages: number;
    /** TrimRecord's number. */
    readonly trimmedTo: () => Promise<number | undefined>;
  }) {
    this.#api = options.api;
    this.#scanner = options.scanner;
    this.#stream = options.stream;
    this.#maxMessages = options.maxMessages;
    this.#trimmedTo = options.trimmedTo;
  }

  async view(subject: string): Promise<RoomView> {
    const { last_seq: last } = (await this.#api.info(this.#stream)).state;
    const seqs = await this.#scanner.seqs(subject, this.#maxMessages + 1);
    // Read last: what retention took meanwhile is missing in the scan.
    const [{ state }, trimmedTo] = await Promise.all([this.#api.info(this.#stream), this.#trimmedTo()]);
    const index = new RoomIndex({ maxMessages: this.#maxMessages });
    index.begin(state.first_seq, state.first_seq);
    for (const seq of seqs) index.add(subject, seq);
    index.settle(state.first_seq);
    if (trimmedTo !== undefined) index.trimmedTo(trimmedTo);
    return { ...index.window(subject), end: Math.max(last, seqs.at(-1) ?? 0) };
  }

  /**
   * Edges ask for every room they begin to host, and what they need is the seq. The floor would take a scan each, so
   * they are told the safe thing: that nothing earlier can be relied on.
   */
  async position(): Promise<RoomPosition> {
    const { last_seq: last } = (await this.#api.info(this.#stream)).state;
    return { seq: last, floor: last };
  }

  missing(): void {
    // The next scan will not find it.
  }
}
