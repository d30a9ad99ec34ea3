import type { Logger } from "../services/log.ts";
import type { JetStreamApi } from "./nats-api.ts";

/** How long a deleted key's marker stays, at least: whoever lags behind by less hears the deletion itself. */
const KEEP_MS = 600_000;
const SWEEP_MS = 60_000;
const AT_ONCE = 16;

/**
 * Takes markers of deleted keys out of the control log. Keys name connections and members, which never come back, so
 * their markers would stay for ever.
 */
export class MarkerSweeper {
  readonly #api: JetStreamApi;
  readonly #stream: string;
  readonly #log: Logger;
  readonly #keepMs: number;
  /** Markers by key, oldest first. */
  readonly #markers = new Map<string, { readonly seq: number; readonly since: number }>();
  readonly #timer: NodeJS.Timeout;
  #sweeping = false;

  constructor(options: {
    readonly api: JetStreamApi;
    readonly stream: string;
    readonly log: Logger;
    /** How long markers stay, in milliseconds. Default: 10 minutes. */
    readonly keepMs?: number | undefined;
    /** How often to look, in milliseconds. Default: a minute. */
    readonly sweepMs?: number | undefined;
  }) {
    this.#api = options.api;
    this.#stream = options.stream;
    this.#log = options.log;
    // Several processes sweep: at different times, so that one finds little left to do.
    this.#keepMs = (options.keepMs ?? KEEP_MS) * (1 + Math.random() / 4);
    this.#timer = setInterval(() => void this.#sweep(), options.sweepMs ?? SWEEP_MS);
  }

  /** Notes the key's marker; undefined when it has a value. */
  note(key: string, marker: number | undefined): void {
    if (marker === undefined) this.#markers.delete(key);
    else if (this.#markers.get(key)?.seq !== marker) {
      this.#markers.delete(key);
      this.#markers.set(key, { seq: marker, since: performance.now() });
    }
  }

  /** Ends it. Idempotent. */
  stop(): void {
    clearInterval(this.#timer);
    this.#markers.clear();
  }

  async #sweep(): Promise<void> {
    if (this.#sweeping) return;
    this.#sweeping = true;
    try {
      for (let batch = this.#due(); batch.length > 0; batch = this.#due()) {
        // By seq: a key that was written meanwhile has no such message any more.
        await Promise.all(batch.map(([, { seq }]) => this.#api.deleteMessage(this.#stream, seq, false)));
        for (const [key, marker] of batch) if (this.#markers.get(key) === marker) this.#markers.delete(key);
      }
    } catch (error) {
      this.#log.warn({ err: error }, "markers of deleted keys could not be taken out yet");
    }
    this.#sweeping = false;
  }

  #due(): [string, { readonly seq: number; readonly since: number }][] {
    const before = performance.now() - this.#keepMs;
    const due: [string, { readonly seq: number; readonly since: number }][] = [];
    for (const entry of this.#markers) {
      if (entry[1].since > before || due.length >= AT_ONCE) break;
      due.push(entry);
    }
    return due;
  }
}
