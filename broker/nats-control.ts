import { setTimeout as delay } from "node:timers/promises";
import { nuid } from "@nats-io/transport-node";
import type { Logger } from "../services/log.ts";
import type { ControlEntry, ControlListener, ControlStore, Unsubscribe } from "./broker.ts";
import { headerOf, type JetStreamApi, type StoredMessage } from "./nats-api.ts";
import { API_ERROR, ApiError } from "./nats-api-error.ts";
import type { NatsLink } from "./nats-link.ts";
import type { MarkerSweeper } from "./nats-markers.ts";
import { unavailable, type Writer } from "./nats-publish.ts";
import { OPERATION_HEADER, Watch } from "./nats-watch.ts";
import type { NatsNames } from "./subjects.ts";

const MAX_TRIES = 20;
const RETRY_MS = 5;
const IN_THE_WAY: readonly number[] = [API_ERROR.wrongLastSequence, API_ERROR.wrongLastSequenceInProcess];

/**
 * The control log in a key-value bucket: its stream's seqs are the revisions. Reads ask the stream's leader. Conditions
 * on a revision are never used: servers before 2.9.21 let several writers win (measured: 80 of 150 rounds), while "only if
 * there is no message" is checked when the message is stored.
 */
export class NatsControl implements ControlStore {
  readonly #link: NatsLink;
  readonly #api: JetStreamApi;
  readonly #writer: Writer;
  readonly #names: NatsNames;
  readonly #log: Logger;
  readonly #markers: MarkerSweeper | undefined;
  /** Writes of one process to one key stay in the order of the calls. */
  readonly #lane = {};
  readonly #watches = new Set<Watch>();
  #closed = false;

  constructor(options: {
    readonly link: NatsLink;
    readonly api: JetStreamApi;
    readonly writer: Writer;
    readonly names: NatsNames;
    readonly log: Logger;
    /** Takes markers of deleted keys out; undefined where others do that. */
    readonly markers: MarkerSweeper | undefined;
  }) {
    this.#link = options.link;
    this.#api = options.api;
    this.#writer = options.writer;
    this.#names = options.names;
    this.#log = options.log;
    this.#markers = options.markers;
  }

  async put(key: string, value: Uint8Array): Promise<number> {
    return (await this.#writer.write(this.#names.control(key), value, { id: nuid.next(), lane: this.#lane })).seq;
  }

  async create(key: string, value: Uint8Array): Promise<number | undefined> {
    const subject = this.#names.control(key);
    const id = nuid.next();
    for (let tries = 1; tries <= MAX_TRIES; tries++) {
      const created = await this.#createOnce(subject, value, id);
      if (created !== undefined) return created;
      const current = await this.#api.message(this.#names.controlStream, { last_by_subj: subject });
      if (current === undefined) {
        // Deleted since, or not quite stored yet.
        await delay(RETRY_MS * tries);
        continue;
      }
      // Ours: an earlier attempt was stored and its acknowledgement lost.
      if (headerOf(current, "Nats-Msg-Id") === id) return current.seq;
      if (!isMarker(current)) return undefined;
      // Whoever misses the marker hears the key's new value, or finds the key gone when it lists all keys again.
      await this.#api.deleteMessage(this.#names.controlStream, current.seq, false);
    }
    throw unavailable("the key keeps changing");
  }

  /** The reason is the marker's body: deletion and reason are one message, which no watch can hear half of. */
  async delete(key: string, reason = ""): Promise<number> {
    const options = { id: nuid.next(), lane: this.#lane, headers: { [OPERATION_HEADER]: "DEL" } };
    return (await this.#writer.write(this.#names.control(key), Buffer.from(reason), options)).seq;
  }

  async get(key: string): Promise<ControlEntry | undefined> {
    if (this.#closed) throw unavailable("the broker is closed");
    const message = await this.#api.message(this.#names.controlStream, { last_by_subj: this.#names.control(key) });
    if (message === undefined || isMarker(message)) return undefined;
    return { key, revision: message.seq, value: message.data };
  }

  async watch(listener: ControlListener): Promise<Unsubscribe> {
    if (this.#closed) throw unavailable("the broker is closed");
    const watch = new Watch({
      link: this.#link,
      api: this.#api,
      names: this.#names,
      log: this.#log,
      markers: this.#markers,
      listener,
    });
    this.#watches.add(watch);
    return () => {
      this.#watches.delete(watch);
      watch.stop();
    };
  }

  /** Ends all watches. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const watch of this.#watches) watch.stop();
    this.#watches.clear();
    this.#markers?.stop();
  }

  /** The revision, or undefined when there is a message on the subject already. */
  async #createOnce(subject: string, value: Uint8Array, id: string): Promise<number | undefined> {
    const headers = { "Nats-Expected-Last-Subject-Sequence": "0" };
    try {
      return (await this.#writer.write(subject, value, { id, lane: this.#lane, headers })).seq;
    } catch (error) {
      if (error instanceof ApiError && IN_THE_WAY.includes(error.errCode)) return undefined;
      throw error;
    }
  }
}

function isMarker(message: StoredMessage): boolean {
  return headerOf(message, OPERATION_HEADER) !== "";
}
