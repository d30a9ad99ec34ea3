import { nuid } from "@nats-io/transport-node";
import type { Event, Signal } from "../gen/baccarat/v1/event_pb.ts";
import type { RoomId } from "../services/ids.ts";
import type { Logger } from "../services/log.ts";
import type {
  Broker,
  BrokerHealth,
  ControlStore,
  HistoryPage,
  HistoryRange,
  Published,
  PublishOptions,
  RoomListener,
  RoomPosition,
  StoredEvent,
  Unsubscribe,
} from "./broker.ts";
import { eventBytes } from "./event-bytes.ts";
import { Feed } from "./nats-feed.ts";
import { NatsLink } from "./nats-link.ts";
import { assemble, type NatsParts } from "./nats-open.ts";
import type { NatsOptions } from "./nats-options.ts";
import { unavailable } from "./nats-publish.ts";
import { DELETES_HEADER } from "./nats-wipe.ts";

export type { NatsAuth, NatsTls } from "./nats-link.ts";
export type { NatsOptions } from "./nats-options.ts";

const OPEN_MS = 60_000;
const FLUSH_MS = 1_000;

/** What the engine did since it was opened, for metrics. */
export interface NatsCounts {
  /** Messages stored in either stream, attempts beyond the first, and messages given up. */
  readonly stored: number;
  readonly retried: number;
  readonly failed: number;
  /** Messages that are no event or signal. */
  readonly undecodable: number;
}

/**
 * Opens the NATS engine: one JetStream stream stores the log and repeats it live, one key-value bucket is the control log.
 * An acknowledged publish survives kill -9 of every node; not promised: power loss within the servers' sync interval.
 * @throws BrokerOpenError
 */
export async function openNatsBroker(options: NatsOptions): Promise<NatsBroker> {
  const openMs = options.openMs ?? OPEN_MS;
  const deadline = performance.now() + openMs;
  const { servers, auth, tls, log, name = "baccarat" } = options;
  const links: NatsLink[] = [];
  const openLink = async (bulk: boolean): Promise<NatsLink> => {
    const linkOptions = { servers, auth, tls, name: bulk ? `${name} (feeds)` : name, openMs, log, bulk };
    const link = await NatsLink.open(linkOptions);
    links.push(link);
    return link;
  };
  try {
    const link = await openLink(false);
    // Who hears the whole log must not have acknowledgements wait behind it.
    const feedLink = options.owner ? await openLink(true) : link;
    return new NatsBroker(await assemble({ link, feedLink }, options, deadline), log);
  } catch (error) {
    await Promise.all(links.map((link) => link.close(0)));
    throw error;
  }
}

/** The Broker of many processes. */
export class NatsBroker implements Broker {
  readonly epoch: string;
  readonly losesLive = true;
  readonly control: ControlStore;
  readonly #parts: NatsParts;
  readonly #log: Logger;
  readonly #tails = new Set<Feed>();
  readonly #deletions = new Set<Promise<void>>();
  #closing: Promise<void> | undefined;

  /** For openNatsBroker. */
  constructor(parts: NatsParts, log: Logger) {
    this.epoch = parts.epoch;
    this.control = parts.control;
    this.#parts = parts;
    this.#log = log;
  }

  get unfit(): string | undefined {
    return this.#parts.servers.unfit;
  }

  get warning(): string | undefined {
    return this.#parts.servers.warning;
  }

  /** What was done so far. */
  get counts(): NatsCounts {
    return { ...this.#parts.writer.counts, undecodable: this.#parts.decoder.failures };
  }

  health(): BrokerHealth {
    return this.#closing ? { ok: false, reason: "the broker is closed" } : this.#parts.health.current;
  }

  onHealth(listener: (health: BrokerHealth) => void): Unsubscribe {
    return this.#parts.health.onChange(listener);
  }

  async publish(room: RoomId, event: Event, options: PublishOptions = {}): Promise<Published> {
    this.#refuseWhenUseless();
    const subject = this.#parts.names.log(room);
    const deleted = event.body.case === "deletion" ? Number(event.body.value.deletedSeq) : 0;
    const ack = await this.#parts.writer.write(subject, eventBytes(event), {
      id: options.dedupeId ?? nuid.next(),
      lane: options.lane,
      ...(deleted > 0 || event.trace ? { headers: headersOf(deleted, event) } : {}),
    });
    if (deleted > 0) await this.#wipe(subject, deleted);
    return { seq: ack.seq, duplicate: options.dedupeId !== undefined && ack.duplicate };
  }

  async subscribe(room: RoomId, listener: RoomListener): Promise<Unsubscribe> {
    this.#refuseWhenUseless();
    return this.#parts.live.subscribe(room, listener);
  }

  async subscribeDirect(listener: (stored: StoredEvent) => void): Promise<Unsubscribe> {
    this.#refuseWhenUseless();
    return this.#parts.live.subscribeDirect(listener);
  }

  async tail(
    after: number,
    listener: (stored: StoredEvent) => void,
    onCaughtUp: () => void = () => undefined,
  ): Promise<Unsubscribe> {
    this.#refuseWhenUseless();
    const { feedLink, api, names, decoder } = this.#parts;
    const feed = new Feed({
      link: feedLink,
      api,
      log: this.#log,
      stream: names.logStream,
      filter: names.allLog,
      headersOnly: false,
      start: { after },
      onMessage: ({ seq, subject, msg }) => {
        const event = decoder.event(msg.data, seq);
        if (event) listener({ room: names.room(subject), seq, prevSeq: 0, event });
      },
      onCaughtUp,
    });
    this.#tails.add(feed);
    return () => {
      this.#tails.delete(feed);
      feed.stop();
    };
  }

  signal(room: RoomId, signal: Signal): void {
    if (!this.#closing) this.#parts.live.signal(room, signal);
  }

  async history(room: RoomId, range: HistoryRange): Promise<HistoryPage> {
    this.#refuseWhenUseless();
    return this.#parts.history.page(room, range);
  }

  async position(room: RoomId): Promise<RoomPosition> {
    this.#refuseWhenUseless();
    return this.#parts.history.position(room);
  }

  async roomEnd(room: RoomId): Promise<number> {
    return (await this.position(room)).seq;
  }

  async logEnd(): Promise<number> {
    this.#refuseWhenUseless();
    return (await this.#parts.api.info(this.#parts.names.logStream)).state.last_seq;
  }

  async logStart(): Promise<number> {
    this.#refuseWhenUseless();
    return Math.max(0, (await this.#parts.api.info(this.#parts.names.logStream)).state.first_seq - 1);
  }

  async storedAt(seq: number): Promise<number | undefined> {
    this.#refuseWhenUseless();
    return (await this.#parts.api.message(this.#parts.names.logStream, { seq }))?.at;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { writer, requests, link, feedLink, stops } = this.#parts;
    await writer.close();
    await Promise.allSettled(this.#deletions);
    for (const feed of this.#tails) feed.stop();
    for (const stop of stops) stop();
    requests.close();
    await Promise.all([link.close(FLUSH_MS), feedLink.close(FLUSH_MS)]);
  }

  #wipe(subject: string, seq: number): Promise<void> {
    const wiping = this.#parts.wiper.wipe(subject, seq).finally(() => this.#deletions.delete(wiping));
    this.#deletions.add(wiping);
    return wiping;
  }

  #refuseWhenUseless(): void {
    if (this.#closing) throw unavailable("the broker is closed");
    if (this.#parts.health.replaced) throw unavailable("the log was created anew");
  }
}

/** The trace is in the event as well: here it is for what reads no events, such as the servers' own message tracing. */
function headersOf(deleted: number, { trace }: Event): Readonly<Record<string, string>> {
  return {
    ...(deleted > 0 && { [DELETES_HEADER]: String(deleted) }),
    ...(trace && { traceparent: trace.traceparent }),
    ...(trace?.tracestate && { tracestate: trace.tracestate }),
  };
}
