import type { Msg } from "@nats-io/transport-node";
import { RoomError } from "../services/errors.ts";
import { FIXED } from "../services/limits.ts";
import { ApiError, type ApiErrorBody } from "./nats-api-error.ts";
import { Lane, type Lanes, type Write } from "./nats-lane.ts";
import type { NoAnswer, Requests } from "./nats-requests.ts";

/** What a stored message got. */
export interface Ack {
  readonly seq: number;
  /** True when a message with this id was stored before, by this call's own first attempt perhaps. */
  readonly duplicate: boolean;
}

/** How to store a message. */
export interface WriteOptions {
  /** By which the stream recognises a second attempt: without one, retries would store twice. */
  readonly id: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Writes of one lane to one subject are stored in the order of the calls, and fail together. */
  readonly lane?: object | undefined;
}

/** Numbers since the start. */
export interface WriterCounts {
  stored: number;
  retried: number;
  failed: number;
}

/** Unsettled writes at a time: more gain nothing (measured: 256 to 1,000 saturate a stream) and cost memory. */
const MAX_IN_FLIGHT = 1_000;
/** Those of one lane and subject, where that is safe. */
const LANE_IN_FLIGHT = 128;
/** Writes that wait, for the window or behind one of their lane. Edges allow each connection 32 (maxPublishesInFlight). */
const MAX_WAITING = 10_000;
/** How long an attempt waits: a frozen leader never answers, and its successor is up within 5 s. */
const ATTEMPT_MS = 1_500;
const BACKOFF_MS = { first: 40, most: 400 };
const TICK_MS = 20;

/**
 * Stores messages in streams and waits for their acknowledgements. Whatever is not answered is sent again with the same
 * id until the time is over.
 *
 * How many of one lane and subject may be unsettled depends on who stores. One server takes what comes over a connection
 * one by one, so that a lane keeps its order with many. In a cluster a new leader may take a later one after an earlier one
 * died with the old leader (measured: 559 of 69,775 overtaken with a window of 64): there it is one at a time.
 */
export class Writer {
  readonly counts: WriterCounts = { stored: 0, retried: 0, failed: 0 };
  readonly #requests: Requests;
  readonly #isClustered: () => boolean;
  readonly #onTrouble: () => void;
  readonly #lanes = new WeakMap<object, Lanes>();
  readonly #queue = new Set<Write>();
  /** Lanes to be tried again, and when, by performance.now(). */
  readonly #retrying = new Map<Lane, number>();
  #waiting = 0;
  #inFlight = 0;
  #pumping = false;
  #timer: NodeJS.Timeout | undefined;
  #closing = false;
  #onIdle: (() => void) | undefined;

  /**
   * @param options.isClustered whether more than one server may store, now.
   * @param options.onTrouble called when a write found nobody to store it: worth a look at the broker's health.
   */
  constructor(options: {
    readonly requests: Requests;
    readonly isClustered: () => boolean;
    readonly onTrouble: () => void;
  }) {
    this.#requests = options.requests;
    this.#isClustered = options.isClustered;
    this.#onTrouble = options.onTrouble;
  }

  /**
   * Stores a message.
   * @throws RoomError unavailable when no acknowledgement came within FIXED.requestMs, for this write and all behind it
   *   in its lane; or when too many wait already, and then it was surely not stored.
   * @throws ApiError when the server refuses, such as by a condition in the headers.
   */
  write(subject: string, payload: Uint8Array, options: WriteOptions): Promise<Ack> {
    if (this.#closing) return Promise.reject(unavailable("the broker is closed"));
    if (this.#waiting >= MAX_WAITING) {
      this.counts.failed++;
      return Promise.reject(unavailable("too many messages wait to be stored"));
    }
    const { promise, resolve, reject } = Promise.withResolvers<Ack>();
    const { id, headers } = options;
    const lane = this.#laneOf(subject, options.lane);
    const deadline = performance.now() + FIXED.requestMs;
    const state = { attempts: 0, ack: undefined, settled: false };
    lane.add({ lane, payload, id, headers, deadline, resolve, reject, ...state });
    this.#waiting++;
    this.#advance(lane);
    return promise;
  }

  /** Waits until everything is settled; later writes are refused. */
  close(): Promise<void> {
    this.#closing = true;
    if (this.#waiting + this.#inFlight === 0) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onIdle = resolve;
    return promise;
  }

  #laneOf(subject: string, key: object | undefined): Lane {
    if (key === undefined) return new Lane(subject, undefined);
    let lanes = this.#lanes.get(key);
    if (lanes === undefined) {
      lanes = new Map();
      this.#lanes.set(key, lanes);
    }
    return lanes.get(subject) ?? new Lane(subject, lanes);
  }

  /** Goes on with a lane in which something has changed. */
  #advance(lane: Lane): void {
    if (lane.mayRetry) this.#retryLater(lane);
    const most = this.#isClustered() ? 1 : LANE_IN_FLIGHT;
    for (let write = lane.next(most); write; write = lane.next(most)) this.#queue.add(write);
    this.#pump();
  }

  /** Sends what waits, as far as the window allows. A failing attempt comes back here: recursion would end in an overflow. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    for (const write of this.#queue) {
      if (this.#inFlight >= MAX_IN_FLIGHT) break;
      this.#queue.delete(write);
      // The lane gives it back with what failed before it.
      if (write.lane.troubled) continue;
      this.#waiting--;
      this.#inFlight++;
      this.#attempt(write);
    }
    this.#pumping = false;
    if (this.#queue.size > 0) this.#startTimer();
    else if (this.#waiting + this.#inFlight === 0) this.#onIdle?.();
  }

  #attempt(write: Write): void {
    const { lane, payload, id } = write;
    const left = write.deadline - performance.now();
    if (left <= 0) {
      this.#giveUp(lane, "the message was not confirmed in time");
      return;
    }
    if (write.attempts++ > 0) this.counts.retried++;
    const headers = { "Nats-Msg-Id": id, ...write.headers };
    const timeoutMs = Math.min(left, ATTEMPT_MS);
    lane.attempted();
    try {
      this.#requests.send(lane.subject, payload, { headers, timeoutMs }, (answer) => this.#onAnswer(write, answer));
    } catch (error) {
      lane.answered();
      this.#refuse(write, error);
    }
  }

  #onAnswer(write: Write, answer: Msg | NoAnswer): void {
    const { lane } = write;
    lane.answered();
    if (write.settled) return;
    const result = typeof answer === "string" ? undefined : parseAck(answer);
    if (answer === "closed") {
      this.#giveUp(lane, "the broker is closed");
    } else if (result instanceof ApiError && !result.temporary) {
      this.#refuse(write, result);
    } else if (result === undefined || result instanceof ApiError) {
      this.#onTrouble();
      lane.failed();
      this.#advance(lane);
    } else {
      this.#resolve(lane.acknowledged(write, result));
      this.#advance(lane);
    }
  }

  #resolve(writes: readonly Write[]): void {
    for (const write of writes) {
      if (write.ack === undefined) continue;
      this.#settled(write);
      this.counts.stored++;
      write.resolve(write.ack);
    }
  }

  /** The server's own refusal says what became of this one, so what is behind it goes on. */
  #refuse(write: Write, error: unknown): void {
    this.#reject(write, error);
    this.#resolve(write.lane.refused(write));
    this.#advance(write.lane);
  }

  /** Rejects all of a lane: stored later than what could not be confirmed, it would be out of order. */
  #giveUp(lane: Lane, reason: string): void {
    const [first, ...behind] = lane.clear();
    this.#retrying.delete(lane);
    if (first) this.#reject(first, unavailable(reason));
    for (const write of behind) {
      this.#reject(write, unavailable("an earlier message of this sender was not confirmed in time"));
    }
    this.#pump();
  }

  #reject(write: Write, error: unknown): void {
    this.#settled(write);
    this.counts.failed++;
    write.reject(error);
  }

  #settled(write: Write): void {
    write.settled = true;
    this.#queue.delete(write);
    if (write.attempts > 0) this.#inFlight--;
    else this.#waiting--;
  }

  #retryLater(lane: Lane): void {
    const { first } = lane;
    if (first === undefined || this.#retrying.has(lane)) return;
    const most = Math.min(BACKOFF_MS.first * 2 ** first.attempts, BACKOFF_MS.most);
    const due = performance.now() + most * (0.5 + Math.random() / 2);
    this.#retrying.set(lane, Math.min(due, first.deadline));
    this.#startTimer();
  }

  #retry(lane: Lane): void {
    this.#retrying.delete(lane);
    const writes = lane.retry();
    if (writes === undefined) this.#giveUp(lane, "the message was not confirmed before one that followed it");
    for (const write of writes ?? []) {
      if (write.settled) continue;
      if (write.attempts > 0) this.#attempt(write);
      else this.#queue.add(write);
    }
    this.#advance(lane);
  }

  #startTimer(): void {
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    const now = performance.now();
    for (const [lane, due] of this.#retrying) if (due <= now) this.#retry(lane);
    for (const { lane, deadline } of this.#queue) {
      if (deadline <= now) this.#giveUp(lane, "the message was not sent in time");
    }
    if (this.#retrying.size > 0 || this.#queue.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** The error of whatever could not be done in time; its outcome is unknown unless the text says otherwise. */
export function unavailable(message: string, cause?: unknown): RoomError {
  return new RoomError("unavailable", message, { cause });
}

/**
 * Reads an acknowledgement; undefined when it is none, and the message may be stored or not. Acks are ASCII: reading
 * them as Latin-1 spares a third of the time.
 */
export function parseAck(msg: Msg): Ack | ApiError | undefined {
  try {
    const data = Buffer.from(msg.data.buffer, msg.data.byteOffset, msg.data.byteLength);
    const ack = JSON.parse(data.toString("latin1")) as { seq?: number; duplicate?: boolean; error?: ApiErrorBody };
    if (ack.error) return new ApiError(ack.error);
    if (ack.seq === undefined || ack.seq === 0) return undefined;
    return { seq: ack.seq, duplicate: ack.duplicate === true };
  } catch {
    // Not from JetStream.
    return undefined;
  }
}
