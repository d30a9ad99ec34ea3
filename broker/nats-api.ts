import { setTimeout as delay } from "node:timers/promises";
import type { StreamConfig } from "@nats-io/jetstream";
import type { Msg } from "@nats-io/transport-node";
import { FIXED } from "../services/limits.ts";
import { Coalesced } from "./coalesced.ts";
import { API_ERROR, ApiError, type ApiErrorBody } from "./nats-api-error.ts";
import { unavailable } from "./nats-publish.ts";
import type { NoAnswer, Requests } from "./nats-requests.ts";

/** What is read of a stream's info. */
export interface StreamInfo {
  readonly config: Partial<StreamConfig>;
  /** When the stream was created: the same text on every node, over restarts too. */
  readonly created: string;
  readonly state: {
    /** Seq of the oldest message, of the next one when there is none. */
    readonly first_seq: number;
    readonly last_seq: number;
  };
  /** Where it is stored; a server outside of any cluster leaves the name out. */
  readonly cluster?: { readonly name?: string };
}

/** Whether a stream is stored in a cluster, where another server may take over as its leader. */
export function isOfCluster({ cluster }: StreamInfo): boolean {
  return (cluster?.name ?? "") !== "";
}

/** A message as stored. */
export interface StoredMessage {
  readonly subject: string;
  readonly seq: number;
  readonly data: Uint8Array;
  /** When it was stored, in milliseconds since 1970 by the leader's clock. */
  readonly at: number;
  /** Its header lines, empty when it has none. */
  readonly headers: string;
}

/** Which message to read. */
type MessageQuery =
  | { readonly seq: number }
  | { readonly last_by_subj: string }
  | { readonly next_by_subj: string; readonly seq: number };

const ATTEMPT_MS = 2_000;
/** A replica that is frozen answers no direct get; the leader is asked then. */
const DIRECT_MS = 500;
const RETRY_MS = 100;
const NOT_FOUND = 404;

/**
 * JetStream's request API, as far as it is used. Every call is idempotent, so each is repeated until the time is over.
 * Messages are read from the stream's leader: what it shows was acknowledged, while a replica may lag behind.
 */
export class JetStreamApi {
  readonly #requests: Requests;
  readonly #infos = new Map<string, Coalesced<StreamInfo>>();

  constructor(options: { readonly requests: Requests }) {
    this.#requests = options.requests;
  }

  /**
   * Calls a method of the API.
   * @throws RoomError unavailable when there is no answer within `withinMs`. Default: FIXED.requestMs.
   * @throws ApiError when JetStream refuses for good.
   */
  async call<T>(path: string, body?: object, withinMs: number = FIXED.requestMs): Promise<T> {
    const deadline = performance.now() + withinMs;
    const payload = body === undefined ? "" : JSON.stringify(body);
    for (;;) {
      const timeoutMs = Math.min(ATTEMPT_MS, deadline - performance.now());
      const answer = await this.#ask(`$JS.API.${path}`, payload, timeoutMs);
      const reply = typeof answer === "string" ? undefined : answer.json<T & { error?: ApiErrorBody }>();
      if (reply !== undefined && reply.error === undefined) return reply;
      const problem = reply?.error ? new ApiError(reply.error) : answer;
      if (problem instanceof ApiError && !problem.temporary) throw problem;
      const wait = RETRY_MS * (0.5 + Math.random());
      if (answer === "closed" || performance.now() + wait >= deadline) {
        throw unavailable("the broker does not answer", problem);
      }
      await delay(wait);
    }
  }

  /** A stream's state, not older than the call. Callers at the same time share an answer. */
  info(stream: string): Promise<StreamInfo> {
    let shared = this.#infos.get(stream);
    if (shared === undefined) {
      shared = new Coalesced(() => this.call<StreamInfo>(`STREAM.INFO.${stream}`));
      this.#infos.set(stream, shared);
    }
    return shared.run();
  }

  /** Reads a message from the leader; undefined when there is none. */
  async message(stream: string, query: MessageQuery): Promise<StoredMessage | undefined> {
    try {
      const { message } = await this.call<{ message: EncodedMessage }>(`STREAM.MSG.GET.${stream}`, query);
      return {
        subject: message.subject,
        seq: message.seq,
        at: Date.parse(message.time),
        data: new Uint8Array(Buffer.from(message.data ?? "", "base64")),
        headers: Buffer.from(message.hdrs ?? "", "base64").toString("latin1"),
      };
    } catch (error) {
      if (error instanceof ApiError && error.errCode === API_ERROR.noMessageFound) return undefined;
      throw error;
    }
  }

  /**
   * Reads a message by its seq from whichever replica answers; undefined when it is gone. A replica that lacks it may
   * lag behind, so only the leader can say that.
   */
  async direct(stream: string, seq: number): Promise<{ readonly data: Uint8Array } | undefined> {
    const answer = await this.#ask(`$JS.API.DIRECT.GET.${stream}`, `{"seq":${seq}}`, DIRECT_MS);
    if (typeof answer !== "string" && (answer.headers?.code ?? NOT_FOUND) === 0) return answer;
    return this.message(stream, { seq });
  }

  /** Deletes a message, overwriting it when `erase`. Resolves with false when it was gone already. */
  async deleteMessage(stream: string, seq: number, erase: boolean): Promise<boolean> {
    try {
      await this.call(`STREAM.MSG.DELETE.${stream}`, { seq, no_erase: !erase });
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.errCode === API_ERROR.sequenceNotFound) return false;
      const failed = error instanceof ApiError && error.errCode === API_ERROR.deleteFailed;
      if (failed && (await this.message(stream, { seq })) === undefined) return false;
      throw error;
    }
  }

  #ask(subject: string, payload: string, timeoutMs: number): Promise<Msg | NoAnswer> {
    return new Promise((resolve) => this.#requests.send(subject, payload, { timeoutMs }, resolve));
  }
}

interface EncodedMessage {
  readonly subject: string;
  readonly seq: number;
  readonly data?: string;
  readonly hdrs?: string;
  /** RFC 3339, with nanoseconds. */
  readonly time: string;
}

/** A header of a stored message; empty when it has none of that name. */
export function headerOf(message: StoredMessage, name: string): string {
  const line = message.headers.split("\r\n").find((candidate) => candidate.startsWith(`${name}:`));
  return line === undefined ? "" : line.slice(name.length + 1).trim();
}
