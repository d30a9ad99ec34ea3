import type { Msg } from "@nats-io/transport-node";
import { RoomError } from "../services/errors.ts";
import { FIXED } from "../services/limits.ts";
import { ApiError, type ApiErrorBody } from "./nats-api-error.ts";
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
/** Writes that wait, for the window or behind one of their lane. Edges allow each connection 32 (maxPublishesInFlight). */
const MAX_WAITING = 10_000;
/** How long an attempt waits: a frozen leader never answers, and its successor is up within 5 s. */
const ATTEMPT_MS = 1_500;
const BACKOFF_MS = { first: 40, most: 400 };
const TICK_MS = 20;

interface Write extends WriteOptions {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly deadline: number;
  readonly resolve: (ack: Ack) => void;
  readonly reject: (error: unknown) => void;
  attempts: number;
  due: number;
}

/**
 * Stores messages in streams and waits for their acknowledgements. Whatever is not answered is sent again with the same
 * id until the time is over. Order needs one thing only: of one lane and subject at most one write is unsettled, since
 * retries among pipelined ones overtake each other (measured: 559 of 69,775 over leader changes with a window of 64).
 */
export class Writer {
  readonly counts: WriterCounts = { stored: 0, retried: 0, failed: 0 };
  readonly #requests: Requests;
  readonly #onTrouble: () => void;
  readonly #lanes = new WeakMap<object, Map<string, Write[]>>();
  readonly #queue = new Set<Write>();
  readonly #retrying = new Set<Write>();
  #waiting = 0;
  #inFlight = 0;
  #pumping = false;
  #timer: NodeJS.Timeout | undefined;
  #closing = false;
  #onIdle: (() => void) | undefined;

  /** @param options.onTrouble called when a write found nobody to store it: worth a look at the broker's health. */
  constructor(options: { readonly requests: Requests; readonly onTrouble: () => void }) {
    this.#requests = options.requests;
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
    const deadline = performance.now() + FIXED.requestMs;
    const write: Write = { ...options, subject, payload, deadline, resolve, reject, attempts: 0, due: 0 };
    this.#waiting++;
    const behind = this.#behind(write);
    if (behind) behind.push(write);
    else this.#enqueue(write);
    return promise;
  }

  /** Waits until everything is settled; later writes are refused. */
  close(): Promise<void> {
    this.#closing = true;
    if (this.#inFlight === 0 && this.#queue.size === 0) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onIdle = resolve;
    return promise;
  }

  /** Those waiting in the write's lane when one is unsettled there; otherwise the lane is the write's own now. */
  #behind(write: Write): Write[] | undefined {
    if (write.lane === undefined) return undefined;
    let subjects = this.#lanes.get(write.lane);
    if (subjects === undefined) {
      subjects = new Map();
      this.#lanes.set(write.lane, subjects);
    }
    const waiting = subjects.get(write.subject);
    if (waiting === undefined) subjects.set(write.subject, []);
    return waiting;
  }

  #enqueue(write: Write): void {
    this.#queue.add(write);
    this.#pump();
  }

  /** Sends what waits, as far as the window allows. A failing attempt comes back here: recursion would end in an overflow. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    for (const write of this.#queue) {
      if (this.#inFlight >= MAX_IN_FLIGHT) break;
      this.#queue.delete(write);
      this.#waiting--;
      this.#inFlight++;
      this.#attempt(write);
    }
    this.#pumping = false;
    if (this.#queue.size > 0) this.#startTimer();
    else if (this.#inFlight === 0) this.#onIdle?.();
  }

  #attempt(write: Write): void {
    const left = write.deadline - performance.now();
    if (left <= 0) {
      this.#fail(write, unavailable("the message was not confirmed in time"));
      return;
    }
    if (write.attempts++ > 0) this.counts.retried++;
    const options = {
      headers: { "Nats-Msg-Id": write.id, ...write.headers },
      timeoutMs: Math.min(left, ATTEMPT_MS),
    };
    try {
      this.#requests.send(write.subject, write.payload, options, (answer) => this.#onAnswer(write, answer));
    } catch (error) {
      this.#fail(write, error);
    }
  }

  #onAnswer(write: Write, answer: Msg | NoAnswer): void {
    if (answer === "closed") {
      this.#fail(write, unavailable("the broker is closed"));
      return;
    }
    const result = typeof answer === "string" ? undefined : parseAck(answer);
    if (result instanceof ApiError && !result.temporary) {
      this.#fail(write, result);
    } else if (result === undefined || result instanceof ApiError) {
      this.#onTrouble();
      this.#retryLater(write);
    } else {
      this.counts.stored++;
      this.#inFlight--;
      write.resolve(result);
      this.#next(write);
    }
  }

  #retryLater(write: Write): void {
    const most = Math.min(BACKOFF_MS.first * 2 ** write.attempts, BACKOFF_MS.most);
    write.due = Math.min(performance.now() + most * (0.5 + Math.random() / 2), write.deadline);
    this.#retrying.add(write);
    this.#startTimer();
  }

  #fail(write: Write, error: unknown): void {
    this.#inFlight--;
    this.#reject(write, error);
  }

  /** Rejects a write and, when its own outcome is unknown, everything behind it: stored later it would be out of order. */
  #reject(write: Write, error: unknown): void {
    this.counts.failed++;
    write.reject(error);
    const subjects = write.lane && this.#lanes.get(write.lane);
    if (subjects && error instanceof RoomError) {
      const waiting = subjects.get(write.subject) ?? [];
      subjects.delete(write.subject);
      this.#waiting -= waiting.length;
      for (const behind of waiting) {
        this.counts.failed++;
        behind.reject(unavailable("an earlier message of this sender was not confirmed in time"));
      }
    }
    this.#next(write);
  }

  /** Gives the turn to whoever waited for this write to be settled. */
  #next(write: Write): void {
    const subjects = write.lane && this.#lanes.get(write.lane);
    const waiting = subjects?.get(write.subject);
    const behind = waiting?.shift();
    if (behind) this.#queue.add(behind);
    else if (waiting) subjects?.delete(write.subject);
    this.#pump();
  }

  #startTimer(): void {
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    const now = performance.now();
    for (const write of this.#retrying) {
      if (write.due > now) continue;
      this.#retrying.delete(write);
      this.#attempt(write);
    }
    for (const write of this.#queue) {
      if (write.deadline > now) continue;
      this.#queue.delete(write);
      this.#waiting--;
      this.#reject(write, unavailable("the message was not sent in time"));
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
