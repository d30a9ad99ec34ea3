import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { RoomError } from "../services/errors.ts";
import { FIXED } from "../services/limits.ts";
import type { Logger } from "../services/log.ts";
import { Batch, type Settle } from "./embedded-batch.ts";
import { textOf } from "./embedded-database.ts";
import { HealthState } from "./embedded-health.ts";
import type {
  Answer,
  ControlAnswer,
  ControlWrite,
  EventAnswer,
  EventWrite,
  FromStorage,
  Read,
  ReadAnswer,
  ReadKind,
  StorageOptions,
  ToStorage,
} from "./embedded-protocol.ts";
import { BrokerOpenError } from "./open-error.ts";

/** Most things asked and not answered; more are refused at once. 65,536 is about a second of full load. */
const MAX_WAITING = 65_536;
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** Most things in one request, so that neither its transaction nor the handing out of its answers blocks others for long. */
const MAX_BATCH = 512;
/** Requests under way: one being worked on and the next one ready. What comes meanwhile becomes one batch. */
const MAX_SENT = 2;
const SWEEP_MS = 250;
/** Callers are promised an answer within FIXED.requestMs; the sweep notices late. */
const STALL_MS = FIXED.requestMs - 2 * SWEEP_MS;

/**
 * The main thread's end of the storage thread: gathers what is asked within a turn, sends it as one request, and hands
 * out answers in the order of the requests. That order is what live delivery, tails and watches are built on: an
 * answered read has seen exactly the writes that were answered before it, and those of its own request.
 */
export class StorageThread {
  /** Identity of the log. */
  readonly epoch: string;
  readonly health = new HealthState();
  /** Resolves when the thread ended unasked: nothing works from then on. */
  readonly stopped: Promise<void>;
  readonly #worker: Worker;
  readonly #log: Logger;
  readonly #stallMs: number;
  readonly #sweeper: NodeJS.Timeout;
  readonly #queue: Batch[] = [];
  readonly #sent: Batch[] = [];
  readonly #exited: Promise<unknown>;
  readonly #markStopped: () => void;
  #sending: NodeJS.Immediate | undefined;
  #series = 1;
  #waiting = 0;
  #waitingBytes = 0;
  #refusal: string | undefined;
  #closed: Promise<void> | undefined;
  #drained: (() => void) | undefined;
  #backup: { readonly done: () => void; readonly fail: (reason: string) => void } | undefined;

  /** Starts a storage thread. @throws BrokerOpenError when it cannot open the storage. */
  static async open(options: { readonly storage: StorageOptions; readonly log: Logger }): Promise<StorageThread> {
    const { storage, log } = options;
    const worker = new Worker(new URL("./embedded-worker.ts", import.meta.url), {
      name: "broker storage",
      workerData: storage,
    });
    const [first] = (await once(worker, "message").catch((error) => {
      throw new BrokerOpenError("failed", `the storage thread cannot start: ${textOf(error)}`, { cause: error });
    })) as [FromStorage];
    if (first.kind === "refused") throw new BrokerOpenError(first.problem, first.message);
    if (first.kind !== "opened") throw new Error(`the storage thread began with ${first.kind}`);
    return new StorageThread({ worker, epoch: first.epoch, log });
  }

  constructor(options: {
    readonly worker: Worker;
    readonly epoch: string;
    readonly log: Logger;
    /** After how long without an answer what waits is given up, closing included, in milliseconds. Default 4,500. */
    readonly stallMs?: number;
  }) {
    this.epoch = options.epoch;
    this.#worker = options.worker;
    this.#log = options.log;
    this.#stallMs = options.stallMs ?? STALL_MS;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.stopped = promise;
    this.#markStopped = resolve;
    this.#exited = new Promise((ended) => this.#worker.once("exit", ended));
    this.#worker.on("message", (message: FromStorage) => this.#onMessage(message));
    this.#worker.on("error", (error) => this.#onEnd(error));
    this.#worker.on("exit", () => this.#onEnd(undefined));
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS).unref();
    this.health.listen((health) => {
      if (health.ok) this.#log.info("the broker's storage works again");
      else this.#log.error({ reason: health.reason }, "the broker's storage does not work");
    });
  }

  /** True once nothing is accepted any more. */
  get isClosed(): boolean {
    return this.#refusal !== undefined;
  }

  /** Stores an event; answers come in the order of seq. */
  writeEvent(write: EventWrite, settle: Settle<EventAnswer>): void {
    this.#batchFor(settle, write.body.length)?.addEvent(write, settle);
  }

  /** Changes the control log; answers come in the order of revision. */
  writeControl(write: ControlWrite, settle: Settle<ControlAnswer>): void {
    this.#batchFor(settle, write.op === "delete" ? 0 : write.value.length)?.addControl(write, settle);
  }

  /** Reads. */
  read<K extends ReadKind>(read: Read<K>, settle: Settle<ReadAnswer<K>>): void {
    this.#batchFor(settle, 0)?.addRead(read, settle);
  }

  /** Reads, for those who need not be in step with live events. @throws RoomError unavailable. */
  ask<K extends ReadKind>(read: Read<K>): Promise<ReadAnswer<K>> {
    return new Promise((resolve, reject) => this.read(read, { done: resolve, fail: reject }));
  }

  /** Writes all that is stored to a file while everything goes on; one at a time. @throws RoomError unavailable. */
  backUp(path: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const fail = (reason: string): void => reject(new RoomError("unavailable", reason));
    if (this.#refusal !== undefined || this.#backup) fail(this.#refusal ?? "a backup is under way");
    else {
      this.#backup = { done: resolve, fail };
      this.#post({ kind: "backup", path });
    }
    return promise;
  }

  /** Settles what waits, closes the storage and ends the thread. Idempotent. */
  close(): Promise<void> {
    this.#refusal ??= "the broker is closed";
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    if (this.#waiting > 0) await new Promise<void>((resolve) => (this.#drained = resolve));
    this.#post({ kind: "close" });
    const { promise: late, resolve } = Promise.withResolvers<"late">();
    const timer = setTimeout(resolve, this.#stallMs, "late");
    // Not awaited: a thread that hangs in the kernel does not end by this either.
    if ((await Promise.race([this.#exited, late])) === "late") void this.#worker.terminate();
    clearTimeout(timer);
    clearInterval(this.#sweeper);
    this.#backup?.fail("the broker is closed");
  }

  #batchFor(settle: { fail(error: RoomError): void }, bytes: number): Batch | undefined {
    const full = this.#waiting >= MAX_WAITING || this.#waitingBytes + bytes > MAX_WAITING_BYTES;
    const refusal = this.#refusal ?? (full ? "too much waits to be stored" : undefined);
    if (refusal !== undefined) {
      settle.fail(new RoomError("unavailable", refusal));
      return undefined;
    }
    this.#waiting++;
    this.#waitingBytes += bytes;
    const last = this.#queue.at(-1);
    if (last && last.size < MAX_BATCH) return last;
    const batch = new Batch();
    this.#queue.push(batch);
    this.#sendSoon();
    return batch;
  }

  /** Not at once, so that one batch takes everything the current turn asks for. */
  #sendSoon(): void {
    this.#sending ??= setImmediate(() => {
      this.#sending = undefined;
      while (this.#sent.length < MAX_SENT) {
        const batch = this.#queue.shift();
        if (!batch) return;
        this.#sent.push(batch);
        this.#post(batch.toRequest(this.#series));
      }
    });
  }

  #post(message: ToStorage): void {
    this.#worker.postMessage(message);
  }

  #onMessage(message: FromStorage): void {
    switch (message.kind) {
      case "answer":
        this.#onAnswer(message);
        return;
      case "ailing":
        this.health.set("storage", message.reason);
        return;
      case "recovered":
        this.health.set("storage", undefined);
        return;
      case "backed_up":
        if (message.outcome.ok) this.#backup?.done();
        else this.#backup?.fail(message.outcome.reason);
        this.#backup = undefined;
        return;
      default:
        throw new Error(`the storage thread says ${message.kind} twice`);
    }
  }

  #onAnswer(answer: Answer): void {
    const batch = this.#sent.shift();
    if (!batch) throw new Error("the storage thread answers what was not asked");
    this.health.set("stalled", undefined);
    if (!answer.written.ok && batch.series === this.#series) this.#onFailedWrite(answer.written.reason);
    batch.settle(answer);
    this.#release(batch);
    if (this.#queue.length > 0) this.#sendSoon();
  }

  /** Whatever was asked before its callers could know of the failure fails too: see the worker's failedSeries. */
  #onFailedWrite(reason: string): void {
    this.#series++;
    this.health.set("storage", reason);
    const error = new RoomError("unavailable", "not stored: an earlier write failed");
    for (const batch of this.#queue) batch.failWrites(error);
  }

  #sweep(): void {
    const oldest = this.#sent[0];
    if (!oldest || performance.now() - oldest.begun < this.#stallMs) return;
    // When this thread was busy itself, answers lie waiting: they are handled before the next immediate.
    setImmediate(() => {
      if (this.#sent[0] !== oldest) return;
      const reason = `the storage has not answered for ${this.#stallMs} ms`;
      this.health.set("stalled", reason);
      this.#giveUp(reason);
    });
  }

  /** Fails everything that waits; what was sent may still be answered. */
  #giveUp(reason: string): void {
    const error = new RoomError("unavailable", reason);
    for (const batch of this.#sent) batch.fail(error);
    for (const batch of this.#queue.splice(0)) {
      batch.fail(error);
      this.#release(batch);
    }
    this.#drained?.();
  }

  #onEnd(error: unknown): void {
    const isAsked = this.#closed !== undefined && error === undefined;
    if (isAsked || this.health.has("stopped")) return;
    const reason = "the storage thread ended: restart the process";
    this.#log.fatal({ err: error }, reason);
    this.#refusal = reason;
    this.health.set("stopped", reason);
    clearInterval(this.#sweeper);
    this.#backup?.fail(reason);
    this.#giveUp(reason);
    for (const batch of this.#sent.splice(0)) this.#release(batch);
    this.#markStopped();
  }

  #release(batch: Batch): void {
    this.#waiting -= batch.size;
    this.#waitingBytes -= batch.bytes;
    if (this.#waiting === 0) this.#drained?.();
  }
}
