import type { StoredEvent } from "../broker/broker.ts";
import type { Metrics } from "../services/metrics.ts";
import { encodeEvent } from "./frame-encoders.ts";

/** An event for a room's members, and as JSON of encodeEvent; `sentMs` is 0 when it was kept back. */
export type Deliver = (json: string, stored: StoredEvent, sentMs: number) => void;

/** What a conflation needs. */
export interface ConflationOptions {
  readonly epoch: string;
  /** Least time between two events of one key, in milliseconds. */
  readonly intervalMs: number;
  /** Position up to which the members were given everything. */
  readonly given: number;
  readonly deliver: Deliver;
  readonly metrics: Pick<Metrics, "conflatedTotal">;
}

interface Key {
  /** When members were last given an event of this key, by performance.now(). */
  givenAt: number;
  /** The latest event since then; undefined: none. */
  held: StoredEvent | undefined;
}

/** Keys that are remembered although nothing is held of them; more are looked through for those that need not be. */
const MAX_QUIET = 64;

/**
 * What the members of one room at one edge are given of its events when they cannot take all: of each snapshot key the
 * latest event, at most once per interval; everything else as it comes.
 *
 * An event that was held may come behind later ones of the room, never behind a later one of its own key. What was left
 * out must not look like a hole: an event's prev_seq is given as no greater than any seq the members were given.
 */
export class Conflation {
  readonly #options: ConflationOptions;
  readonly #keys = new Map<string, Key>();
  /** Greatest seq the members were given. */
  #given: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ConflationOptions) {
    this.#options = options;
    this.#given = options.given;
  }

  /** Least time between two events of one key, in milliseconds. */
  get intervalMs(): number {
    return this.#options.intervalMs;
  }

  /** Takes the room's next event. */
  hear(json: string, stored: StoredEvent, sentMs: number): void {
    const { body } = stored.event;
    const name = body.case === "customEvent" ? body.value.snapshotKey : "";
    if (name === "") {
      this.#give(stored, json, sentMs);
      return;
    }
    const now = performance.now();
    const key = this.#key(name, now);
    if (key.held === undefined && key.givenAt + this.#options.intervalMs <= now) {
      key.givenAt = now;
      this.#give(stored, json, sentMs);
      return;
    }
    if (key.held !== undefined) this.#options.metrics.conflatedTotal.inc();
    key.held = stored;
    this.#timer ??= setTimeout(() => this.#giveDue(), key.givenAt + this.#options.intervalMs - now);
  }

  /** Gives everything that is held, in the order of the log: whatever comes next follows it without a hole. */
  release(): void {
    this.#stop();
    const held = [...this.#keys.values()].flatMap((key) => key.held ?? []);
    this.#keys.clear();
    for (const stored of held.sort((a, b) => a.seq - b.seq)) this.#giveHeld(stored);
  }

  /** Forgets what is held: nobody is there, or everybody reads the room anew. `given` as in the options. */
  forget(given: number): void {
    this.#stop();
    this.#keys.clear();
    this.#given = given;
  }

  #key(name: string, now: number): Key {
    let key = this.#keys.get(name);
    if (key !== undefined) return key;
    if (this.#keys.size >= MAX_QUIET) this.#forgetQuiet(now);
    key = { givenAt: Number.NEGATIVE_INFINITY, held: undefined };
    this.#keys.set(name, key);
    return key;
  }

  /** A key of which nothing was given for the interval is as good as one that was never heard of. */
  #forgetQuiet(now: number): void {
    for (const [name, { givenAt, held }] of this.#keys) {
      if (held === undefined && givenAt + this.#options.intervalMs <= now) this.#keys.delete(name);
    }
  }

  #giveDue(): void {
    this.#timer = undefined;
    const now = performance.now();
    const due: StoredEvent[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const key of this.#keys.values()) {
      if (key.held === undefined) continue;
      const at = key.givenAt + this.#options.intervalMs;
      if (at > now) {
        next = Math.min(next, at);
        continue;
      }
      due.push(key.held);
      key.held = undefined;
      key.givenAt = now;
    }
    for (const stored of due.sort((a, b) => a.seq - b.seq)) this.#giveHeld(stored);
    if (next < Number.POSITIVE_INFINITY) this.#timer = setTimeout(() => this.#giveDue(), next - now);
  }

  #giveHeld(stored: StoredEvent): void {
    this.#give(stored, undefined, 0);
  }

  #give(stored: StoredEvent, json: string | undefined, sentMs: number): void {
    const { epoch, deliver } = this.#options;
    const prevSeq = Math.min(stored.prevSeq, this.#given);
    this.#given = Math.max(this.#given, stored.seq);
    const isAsStored = json !== undefined && prevSeq === stored.prevSeq;
    deliver(isAsStored ? json : encodeEvent({ ...stored, prevSeq }, epoch), stored, sentMs);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
