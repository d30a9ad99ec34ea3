import { setTimeout as delay } from "node:timers/promises";
import { createInbox, type Msg, nuid } from "@nats-io/transport-node";
import type { Logger } from "../services/log.ts";
import type { Unsubscribe } from "./broker.ts";
import type { JetStreamApi, StreamInfo } from "./nats-api.ts";
import type { NatsLink } from "./nats-link.ts";
import { unavailable } from "./nats-publish.ts";

/** A message of a feed. */
export interface FeedMessage {
  readonly seq: number;
  readonly subject: string;
  /** Its bytes are only good until the callback returns. */
  readonly msg: Msg;
}

/** What to hear of a stream and who hears it. Callbacks must not throw. */
export interface FeedOptions {
  /** Where messages come in; requests go where those of `api` go. */
  readonly link: NatsLink;
  readonly api: JetStreamApi;
  readonly log: Logger;
  readonly stream: string;
  /** Only this subject; wildcards allowed. */
  readonly filter: string;
  /** True leaves the bodies out. */
  readonly headersOnly: boolean;
  /**
   * Every message after a seq, over all interruptions; or the last message of each subject in the order of seq and then
   * what follows, all over again after each interruption.
   */
  readonly start: { readonly after: number } | "last_values";
  onMessage(message: FeedMessage): void;
  /** The feed starts, for the first time or again; the stream is as `info` says. */
  onStart?(info: StreamInfo): void;
  /** Everything stored before the start was heard. */
  onCaughtUp?(): void;
  /** Nothing is heard until the next start. */
  onInterrupted?(): void;
}

interface Waiter {
  readonly seq: number;
  resolve(): void;
  reject(error: unknown): void;
}

/** A silent consumer is given up after four of these: its node died, or the route to it. */
const HEARTBEAT_MS = 500;
const SILENT_BEATS = 4;
const RETRY_MS = 200;
const REMOVE_MS = 1_000;
/** How long the first attempt to create a consumer may take, and the longest: after an election requests get lost. */
const CREATE_MS = { first: 1_000, most: 5_000 };
const NANOS_PER_MS = 1_000_000;
const STATUS = { control: 100 } as const;

/**
 * Hears a stream in order, by a push consumer that acknowledges nothing. The consumer lives in one node's memory: when
 * that dies, when messages were lost on the way or the connection broke, another one goes on from where it stopped.
 *
 * The client's own ordered consumer notices a dead node only after 60 s, and a key-value watch built on it may miss
 * deletions; hence this one.
 */
export class Feed {
  readonly #options: FeedOptions;
  readonly #stopListening: () => void;
  readonly #waiters = new Set<Waiter>();
  readonly #name = nuid.next();
  #generation = 0;
  #unsubscribe: Unsubscribe | undefined;
  #consumer: string | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #position: number;
  /** Where the stream ended when the feed started; undefined once that was reached. */
  #target: number | undefined;
  #delivered = 0;
  #silentBeats = 0;
  #running = false;
  #stopped = false;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#position = options.start === "last_values" ? 0 : options.start.after;
    this.#stopListening = options.link.onChange((connected) => {
      if (connected) this.#restart("reconnected");
      else this.#interrupt();
    });
    this.#restart("started");
  }

  /** Everything up to this seq was heard, as far as it still exists. */
  get position(): number {
    return this.#position;
  }

  /** Resolves once everything up to `seq` was heard. @throws RoomError unavailable after `withinMs`. */
  async reached(seq: number, withinMs: number): Promise<void> {
    if (this.#position >= seq) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { seq, resolve, reject };
    const timer = setTimeout(() => reject(unavailable("the log could not be read up to its end in time")), withinMs);
    this.#waiters.add(waiter);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    }
  }

  /** Notes that nothing before `first` exists any more, so that nobody waits for it. */
  skipTo(first: number): void {
    this.#advance(first - 1);
  }

  /** Ends it; no callback comes after this. Idempotent. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#stopListening();
    this.#end();
    for (const waiter of this.#waiters) waiter.reject(unavailable("the broker is closed"));
  }

  #restart(reason: string): void {
    if (this.#stopped) return;
    if (this.#generation > 0) {
      this.#options.log.info({ stream: this.#options.stream, reason }, "feed restarts");
      this.#interrupt();
    }
    void this.#open(++this.#generation);
  }

  #interrupt(): void {
    const wasRunning = this.#running;
    this.#end();
    if (wasRunning) this.#options.onInterrupted?.();
  }

  #end(): void {
    this.#generation++;
    this.#running = false;
    clearInterval(this.#watchdog);
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    const consumer = this.#consumer;
    this.#consumer = undefined;
    if (consumer !== undefined && this.#options.link.connected) void this.#remove(consumer);
  }

  /** As a courtesy: the server removes consumers by itself some seconds after nobody listens any more. */
  async #remove(consumer: string): Promise<void> {
    const { api, stream, log } = this.#options;
    try {
      await api.call(`CONSUMER.DELETE.${stream}.${consumer}`, undefined, REMOVE_MS);
    } catch (error) {
      log.debug({ err: error, stream }, "a consumer could not be removed");
    }
  }

  async #open(first: number): Promise<void> {
    let generation = first;
    for (let attempts = 0; this.#generation === generation; attempts++) {
      const createMs = Math.min(CREATE_MS.first * 2 ** attempts, CREATE_MS.most);
      try {
        await this.#create(generation, await this.#options.api.info(this.#options.stream), createMs);
        return;
      } catch (error) {
        if (this.#generation !== generation) return;
        this.#options.log.debug({ err: error, stream: this.#options.stream }, "feed cannot start yet");
        this.#interrupt();
        generation = this.#generation;
        await delay(RETRY_MS, undefined, { ref: false });
      }
    }
  }

  async #create(generation: number, info: StreamInfo, createMs: number): Promise<void> {
    if (this.#generation !== generation) return;
    const { link, api, stream, filter, headersOnly, start } = this.#options;
    if (start === "last_values") this.#position = 0;
    this.#options.onStart?.(info);
    this.#advance(info.state.first_seq - 1);
    this.#delivered = 0;
    this.#silentBeats = 0;
    this.#running = true;
    this.#target = info.state.last_seq;
    const inbox = createInbox();
    this.#unsubscribe = link.subscribe(inbox, (msg) => {
      if (this.#generation === generation) this.#onMsg(msg);
    });
    // The consumer is asked for over another connection perhaps, and is idle until its node knows who listens.
    if (!(await link.flushed(createMs))) throw unavailable("not connected to NATS");
    if (this.#generation !== generation) return;
    const name = `${this.#name}_${generation}`;
    const config = {
      name,
      deliver_subject: inbox,
      ...(start === "last_values"
        ? { deliver_policy: "last_per_subject" }
        : { deliver_policy: "by_start_sequence", opt_start_seq: this.#position + 1 }),
      filter_subject: filter,
      headers_only: headersOnly,
      ack_policy: "none",
      max_deliver: 1,
      flow_control: true,
      idle_heartbeat: HEARTBEAT_MS * NANOS_PER_MS,
      inactive_threshold: 5_000 * NANOS_PER_MS,
      mem_storage: true,
      num_replicas: 1,
    };
    this.#consumer = name;
    await api.call(`CONSUMER.CREATE.${stream}.${name}`, { stream_name: stream, config }, createMs);
    if (this.#generation !== generation) return;
    this.#watchdog = setInterval(() => this.#onBeat(), HEARTBEAT_MS);
    this.#checkCaughtUp();
  }

  #onMsg(msg: Msg): void {
    this.#silentBeats = 0;
    const reply = msg.reply ?? "";
    if (!reply.startsWith("$JS.ACK.")) {
      this.#onStatus(msg, reply);
      return;
    }
    const { seq, delivery } = parsePlace(reply);
    if (delivery !== this.#delivered + 1) {
      this.#restart("messages were lost on the way");
      return;
    }
    this.#delivered = delivery;
    // A consumer on a replica that lags behind starts earlier than it was told to.
    if (seq <= this.#position) return;
    this.#options.onMessage({ seq, subject: msg.subject, msg });
    this.#advance(seq);
  }

  #onStatus(msg: Msg, reply: string): void {
    const { nc } = this.#options.link;
    if (msg.headers?.code !== STATUS.control) {
      this.#restart(msg.headers?.description ?? "unknown message");
      return;
    }
    if (reply !== "") {
      // The server goes on sending once it knows that everything before this was taken in.
      nc.publish(reply);
      return;
    }
    const stalledOn = msg.headers.get("Nats-Consumer-Stalled");
    if (stalledOn !== "") {
      nc.publish(stalledOn);
      return;
    }
    if (Number(msg.headers.get("Nats-Last-Consumer")) !== this.#delivered) {
      this.#restart("messages were lost on the way");
      return;
    }
    // How far the consumer has looked: beyond the last message when later ones were deleted.
    this.#advance(Number(msg.headers.get("Nats-Last-Stream")));
  }

  #onBeat(): void {
    if (++this.#silentBeats >= SILENT_BEATS) this.#restart("the consumer is silent");
  }

  #advance(seq: number): void {
    if (seq <= this.#position) return;
    this.#position = seq;
    for (const waiter of this.#waiters) {
      if (waiter.seq > seq) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
    this.#checkCaughtUp();
  }

  #checkCaughtUp(): void {
    if (this.#target === undefined || this.#position < this.#target || !this.#running) return;
    this.#target = undefined;
    this.#options.onCaughtUp?.();
  }
}

/**
 * Takes apart `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time>.<pending>`; newer servers may
 * put domain and account before the stream.
 */
function parsePlace(reply: string): { seq: number; delivery: number } {
  const tokens = reply.split(".");
  const shift = tokens.length >= 11 ? 2 : 0;
  return { seq: Number(tokens[5 + shift]), delivery: Number(tokens[6 + shift]) };
}
