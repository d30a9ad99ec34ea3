import { toBinary } from "@bufbuild/protobuf";
import type { Msg } from "@nats-io/transport-node";
import { type Signal, SignalSchema } from "../gen/baccarat/v1/event_pb.ts";
import type { RoomId } from "../services/ids.ts";
import { FIXED } from "../services/limits.ts";
import type { RoomListener, StoredEvent, Unsubscribe } from "./broker.ts";
import type { JetStreamApi } from "./nats-api.ts";
import type { Decoder } from "./nats-decode.ts";
import { streamPlace } from "./nats-headers.ts";
import type { NatsLink } from "./nats-link.ts";
import { unavailable } from "./nats-publish.ts";
import type { NatsNames } from "./subjects.ts";

/** Live events and signals, as the servers repeat them: whoever is connected hears them, once at most. */
export class Live {
  readonly #link: NatsLink;
  readonly #api: JetStreamApi;
  readonly #names: NatsNames;
  readonly #decoder: Decoder;

  constructor(options: {
    readonly link: NatsLink;
    readonly api: JetStreamApi;
    readonly names: NatsNames;
    readonly decoder: Decoder;
  }) {
    this.#link = options.link;
    this.#api = options.api;
    this.#names = options.names;
    this.#decoder = options.decoder;
  }

  /** Broker.subscribe. */
  subscribe(room: RoomId, listener: RoomListener): Promise<Unsubscribe> {
    return this.#subscribe([
      this.#link.subscribe(
        this.#names.live(room),
        this.#events((stored) => listener.onEvent(stored), room),
      ),
      this.#link.subscribe(this.#names.signal(room), ({ data }) => {
        const signal = this.#decoder.signal(data);
        if (signal) listener.onSignal(signal);
      }),
    ]);
  }

  /** Broker.subscribeDirect. */
  subscribeDirect(listener: (stored: StoredEvent) => void): Promise<Unsubscribe> {
    return this.#subscribe([this.#link.subscribe(this.#names.liveDirect, this.#events(listener))]);
  }

  /** Broker.signal. */
  signal(room: RoomId, signal: Signal): void {
    if (!this.#link.connected) return;
    this.#link.nc.publish(this.#names.signal(room), toBinary(SignalSchema, signal));
  }

  /** Waits until the servers know of the subscriptions. */
  async #subscribe(ends: readonly Unsubscribe[]): Promise<Unsubscribe> {
    const unsubscribe = (): void => {
      for (const end of ends) end();
    };
    try {
      const isHeard = this.#link.connected && (await this.#link.flushed(FIXED.requestMs));
      if (!isHeard) throw unavailable("not connected to NATS");
      // Interest travels from node to node. Our question takes the same way to the stream's leader, so once it answers,
      // the node that repeats events has heard of us.
      if (this.#link.clustered) await this.#api.info(this.#names.logStream);
      return unsubscribe;
    } catch (error) {
      unsubscribe();
      throw error;
    }
  }

  /**
   * Passes on events. After a change of leader an older one may come late: it is left out, as if it were lost.
   * @param room what all of them are of; default: what their subjects say.
   */
  #events(listener: (stored: StoredEvent) => void, room?: RoomId): (msg: Msg) => void {
    let last = 0;
    return (msg) => {
      const { seq, lastSeq: prevSeq } = streamPlace(msg);
      if (!(seq > last)) return;
      const event = this.#decoder.event(msg.data, seq);
      if (event === undefined) return;
      last = seq;
      listener({ room: room ?? this.#names.room(msg.subject), seq, prevSeq, event });
    };
  }
}
