import type { Limits } from "../services/limits.ts";
import type { FrameError, ParsedFrame } from "./frames.ts";
import { RateLimit, type RateRule } from "./rate-limit.ts";

/** Something a client sent: to be carried out, or to be answered with its error. */
export type Inbound = ParsedFrame | FrameError;

/** Whose inbox it is. Closures would do as well, but there is one of each for every connection. */
export interface InboxOwner {
  readonly limits: Limits;
  /** How fast frames may come. */
  readonly frameRate: RateRule;
  /** As RateLimit.take and waitMs, for what the user may send over all connections together. Default: as much as each may. */
  takeShared?(now: number): number | undefined;
  sharedWaitMs?(now: number): number;
  /** Carries a frame out; resolves when it is done. Must not throw or reject. */
  run(frame: Inbound): void | Promise<void>;
  /** A frame came so much too fast that it is not carried out. */
  onRefused(frame: Inbound, retryAfterMs: number): void;
  /** The client does not heed any of that. */
  onFlood(): void;
  /** Stops and restarts reading from the client. */
  pause(): void;
  resume(): void;
}

interface Waiting {
  readonly frame: Inbound;
  /** When the rate limit lets it start, by performance.now(). */
  readonly startAt: number;
}

/** Refused frames, without a rest in between, that end a connection. */
const FLOOD_FRAMES = 1_000;

/**
 * A connection's frames, carried out strictly in order: publishes run side by side, since their order is kept by the
 * broker, and everything else runs alone, after what came before it is done.
 *
 * Who sends too fast is slowed first: the socket is paused until tokens return, so that TCP tells the client. What was
 * read already and would wait longer than the rule has it is refused, and a client that goes on regardless is cut off.
 * The queue is bounded by pausing: beyond maxQueuedFrames it grows by one read of the socket (64 KiB) at most.
 */
export class Inbox {
  readonly #owner: InboxOwner;
  readonly #rate: RateLimit;
  /** Undefined when nothing waits, as most of the time: an empty list would keep what it grew to. */
  #waiting: Waiting[] | undefined;
  #state: "held" | "running" | "finishing" | "closed" = "held";
  #running = 0;
  #alone = false;
  #paused = false;
  #refused = 0;
  #timer: NodeJS.Timeout | undefined;
  #onFirst: (() => void) | undefined;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(owner: InboxOwner) {
    this.#owner = owner;
    this.#rate = new RateLimit(owner.frameRate);
  }

  /** True while the client is not read from, so that its silence means nothing. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Takes a frame. */
  push(frame: Inbound): void {
    if (this.#state === "closed") return;
    const now = performance.now();
    if (this.#rate.isFull(now)) this.#refused = 0;
    const waitMs = this.#takeTurn(now);
    if (waitMs === undefined) {
      this.#refuse(frame, now);
      return;
    }
    this.#waiting ??= [];
    this.#waiting.push({ frame, startAt: now + waitMs });
    this.#onFirst?.();
    this.#advance();
  }

  /** The first frame, as soon as there is one, left where it is; undefined when none came within `ms`. Before start only. */
  async first(ms: number): Promise<Inbound | undefined> {
    if (this.#next === undefined && this.#state === "held") {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onFirst = resolve;
      this.#timer = setTimeout(resolve, ms);
      await promise;
      this.#onFirst = undefined;
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    return this.#next?.frame;
  }

  /** Takes out the first frame, which was dealt with. Before start only. */
  dropFirst(): void {
    this.#shift();
  }

  /** Begins to carry frames out. */
  start(): void {
    if (this.#state !== "held") return;
    this.#state = "running";
    this.#advance();
  }

  /** Begins nothing more; resolves when what is under way is done. */
  finish(): Promise<void> {
    if (this.#state === "closed") return Promise.resolve();
    this.#state = "finishing";
    this.#idle ??= Promise.withResolvers();
    this.#advance();
    return this.#idle.promise;
  }

  /** Drops what has not begun. Idempotent. */
  close(): void {
    this.#state = "closed";
    this.#waiting = undefined;
    clearTimeout(this.#timer);
    this.#onFirst?.();
    this.#idle?.resolve();
  }

  get #next(): Waiting | undefined {
    return this.#waiting?.[0];
  }

  get #length(): number {
    return this.#waiting?.length ?? 0;
  }

  #shift(): void {
    this.#waiting?.shift();
    if (this.#length === 0) this.#waiting = undefined;
  }

  /** How long a frame has to wait for its turn; undefined when it may not have one. */
  #takeTurn(now: number): number | undefined {
    const ownMs = this.#rate.take(now);
    if (ownMs === undefined || this.#owner.takeShared === undefined) return ownMs;
    const sharedMs = this.#owner.takeShared(now);
    return sharedMs === undefined ? undefined : Math.max(ownMs, sharedMs);
  }

  #refuse(frame: Inbound, now: number): void {
    this.#refused++;
    if (this.#refused > FLOOD_FRAMES) this.#owner.onFlood();
    else this.#owner.onRefused(frame, Math.max(this.#rate.waitMs(now), this.#owner.sharedWaitMs?.(now) ?? 0));
  }

  #advance(): void {
    while (this.#state === "running") {
      const next = this.#next;
      if (next === undefined || !this.#mayStart(next)) break;
      this.#shift();
      this.#start(next.frame);
    }
    if (this.#state === "finishing" && this.#running === 0) this.#idle?.resolve();
    this.#throttle();
  }

  #mayStart({ frame, startAt }: Waiting): boolean {
    if (this.#alone) return false;
    const inFlight = isPublish(frame) ? this.#owner.limits.maxPublishesInFlight : 1;
    if (this.#running >= inFlight) return false;
    const waitMs = startAt - performance.now();
    if (waitMs <= 0) return true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#advance(), Math.ceil(waitMs));
    return false;
  }

  #start(frame: Inbound): void {
    const done = this.#owner.run(frame);
    if (done === undefined) return;
    this.#running++;
    this.#alone = !isPublish(frame);
    void done.then(() => {
      this.#running--;
      this.#alone = false;
      this.#advance();
    });
  }

  #throttle(): void {
    const next = this.#next;
    if (next === undefined || this.#state === "closed") this.#setPaused(false);
    else if (this.#length >= this.#owner.limits.maxQueuedFrames) this.#setPaused(true);
    else if (next.startAt > performance.now()) this.#setPaused(true);
    else if (this.#running >= this.#owner.limits.maxPublishesInFlight) this.#setPaused(true);
  }

  #setPaused(paused: boolean): void {
    if (this.#paused === paused) return;
    this.#paused = paused;
    if (paused) this.#owner.pause();
    else this.#owner.resume();
  }
}

const isPublish = (frame: Inbound): boolean => frame.type === "send_message";
