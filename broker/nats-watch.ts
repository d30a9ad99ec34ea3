import type { Logger } from "../services/log.ts";
import type { ControlListener } from "./broker.ts";
import type { JetStreamApi } from "./nats-api.ts";
import { Feed, type FeedMessage } from "./nats-feed.ts";
import type { NatsLink } from "./nats-link.ts";
import type { MarkerSweeper } from "./nats-markers.ts";
import type { NatsNames } from "./subjects.ts";

/** Header of a message that deletes a key, as NATS's own tools write it: DEL or PURGE. */
export const OPERATION_HEADER = "KV-Operation";

/** Keys that begin with this are the engine's own; watches do not show them. */
export const OWN_KEYS = "broker.";

/** How to watch. */
export interface WatchOptions {
  readonly link: NatsLink;
  readonly api: JetStreamApi;
  readonly names: NatsNames;
  readonly log: Logger;
  readonly markers: MarkerSweeper | undefined;
  readonly listener: ControlListener;
}

/**
 * One watch of the control log. After every interruption it lists all keys again and tells what differs: markers of
 * deletions are taken out some day, so going on from the last revision might miss that a key is gone.
 */
export class Watch {
  readonly #options: WatchOptions;
  readonly #feed: Feed;
  /** Revision of each key that exists, as told to the listener. */
  readonly #known = new Map<string, number>();
  /** Keys that exist or have a marker, while all are listed; undefined once that is done. */
  #listed: Set<string> | undefined;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#feed = new Feed({
      link: options.link,
      api: options.api,
      log: options.log,
      stream: options.names.controlStream,
      filter: options.names.allControl,
      headersOnly: false,
      start: "last_values",
      onMessage: (message) => this.#onMessage(message),
      onStart: () => {
        this.#listed = new Set();
      },
      onCaughtUp: () => this.#onCaughtUp(),
      onInterrupted: () => options.listener.onInterrupted(),
    });
  }

  /** Ends it. Idempotent. */
  stop(): void {
    this.#feed.stop();
  }

  #onMessage({ seq, subject, msg }: FeedMessage): void {
    const key = this.#options.names.key(subject);
    if (key.startsWith(OWN_KEYS)) return;
    this.#listed?.add(key);
    const isMarker = (msg.headers?.get(OPERATION_HEADER) ?? "") !== "";
    this.#options.markers?.note(key, isMarker ? seq : undefined);
    // Listing again brings what is known; a replica that lags behind even brings older values.
    if ((this.#known.get(key) ?? 0) >= seq) return;
    if (!isMarker) {
      this.#known.set(key, seq);
      // The bytes belong to a buffer shared with other messages: keeping them would keep all of it.
      this.#options.listener.onEntry({ key, revision: seq, value: msg.data.slice() });
    } else if (this.#known.delete(key) || this.#listed === undefined) {
      const reason = Buffer.from(msg.data).toString() || undefined;
      this.#options.listener.onEntry({ key, revision: seq, value: undefined, reason });
    }
  }

  #onCaughtUp(): void {
    for (const key of this.#known.keys()) {
      if (this.#listed?.has(key)) continue;
      this.#known.delete(key);
      this.#options.listener.onEntry({ key, revision: this.#feed.position, value: undefined });
    }
    this.#listed = undefined;
    this.#options.listener.onCaughtUp();
  }
}
