import type { Logger } from "../services/log.ts";
import type { BrokerHealth, Unsubscribe } from "./broker.ts";
import type { JetStreamApi, StreamInfo } from "./nats-api.ts";
import { isSameCreation } from "./nats-epoch.ts";
import type { NatsLink } from "./nats-link.ts";
import { parseAck } from "./nats-publish.ts";
import type { Requests } from "./nats-requests.ts";

const WELL_MS = 2_000;
const AILING_MS = 250;
const LEAST_MS = 100;
const PROBE_MS = 2_000;

/** How it is seen that the log was given another epoch, as after a restore. */
export interface WatchedEpoch {
  /** The one it had when it was opened. */
  readonly opened: string;
  /** The one it has now; undefined when there is none. */
  readonly stored: () => Promise<string | undefined>;
}

/**
 * Watches whether the broker can store: connected, with leaders for both streams, and they the ones that were opened.
 * It stores something to find out: a leader that lost the others goes on answering questions (2.9.10: for minutes).
 */
export class Health {
  readonly #link: NatsLink;
  readonly #api: JetStreamApi;
  readonly #requests: Requests;
  readonly #probeSubject: string;
  readonly #log: Logger;
  /** Streams, and when they were created. */
  readonly #streams = new Map<string, string>();
  #epoch: WatchedEpoch | undefined;
  readonly #listeners = new Set<(health: BrokerHealth) => void>();
  readonly #stopListening: Unsubscribe;
  #current: BrokerHealth = { ok: true };
  #replaced = false;
  #timer: NodeJS.Timeout | undefined;
  #probing = false;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #stopped = false;

  /** @param options.probeSubject where something is stored to see whether that is possible; the last one is kept. */
  constructor(options: {
    readonly link: NatsLink;
    readonly api: JetStreamApi;
    readonly requests: Requests;
    readonly probeSubject: string;
    readonly log: Logger;
  }) {
    this.#link = options.link;
    this.#api = options.api;
    this.#requests = options.requests;
    this.#probeSubject = options.probeSubject;
    this.#log = options.log;
    this.#stopListening = this.#link.onChange((connected) => {
      // At once, so that a break too short for a probe shows too: live events were missed in it.
      if (!connected) this.#become({ ok: false, reason: "not connected to NATS" });
      this.#lookedAt = Number.NEGATIVE_INFINITY;
      this.check();
    });
  }

  /** Begins to watch these streams: their names, and when they were created. `epoch` is that of the log. */
  watch(streams: Readonly<Record<string, string>>, epoch: WatchedEpoch): void {
    for (const [name, created] of Object.entries(streams)) this.#streams.set(name, created);
    this.#epoch = epoch;
    this.check();
  }

  /** The state as last seen. */
  get current(): BrokerHealth {
    return this.#current;
  }

  /** True once the log was found to be another than the one that was opened: no position means anything any more. */
  get replaced(): boolean {
    return this.#replaced;
  }

  /** Calls back after every change. */
  onChange(listener: (health: BrokerHealth) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks now: something failed. Many failures are one reason to look, so it looks at most every 100 ms. */
  check(): void {
    const isDue = this.#streams.size > 0 && performance.now() - this.#lookedAt > LEAST_MS;
    if (isDue && !this.#stopped && !this.#probing) void this.#probe();
  }

  /** Ends it; the state stays as it is. Idempotent. */
  stop(): void {
    this.#stopped = true;
    this.#stopListening();
    clearTimeout(this.#timer);
  }

  async #probe(): Promise<void> {
    this.#probing = true;
    const reason = await this.#findFault();
    this.#probing = false;
    this.#lookedAt = performance.now();
    if (this.#stopped) return;
    if (reason === undefined) this.#become({ ok: true });
    else this.#become({ ok: false, reason, ...(this.#replaced && { final: true }) });
    this.#schedule();
  }

  async #findFault(): Promise<string | undefined> {
    if (!this.#link.connected) return "not connected to NATS";
    const faults = await Promise.all([
      ...[...this.#streams].map(([name, created]) => this.#findStreamFault(name, created)),
      this.#findEpochFault(),
      this.#findStoreFault(),
    ]);
    return this.#link.connected ? faults.find((fault) => fault !== undefined) : "not connected to NATS";
  }

  async #findStreamFault(name: string, created: string): Promise<string | undefined> {
    try {
      const info = await this.#api.call<StreamInfo>(`STREAM.INFO.${name}`, undefined, PROBE_MS);
      if (isSameCreation(info.created, created) && !this.#replaced) return undefined;
      this.#replaced = true;
      return `stream ${name} was created anew: positions mean nothing any more, restart this process`;
    } catch (error) {
      return `stream ${name} has no leader: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  async #findEpochFault(): Promise<string | undefined> {
    if (this.#epoch === undefined) return undefined;
    try {
      const stored = await this.#epoch.stored();
      if (stored === undefined || stored === this.#epoch.opened) return undefined;
      this.#replaced = true;
      return "the log has another epoch by now: positions mean nothing any more, restart this process";
    } catch (error) {
      // What keeps it from being read is found by the other looks, unless it is somebody's mistake that will be corrected.
      this.#log.debug({ err: error }, "the log's epoch could not be read");
      return undefined;
    }
  }

  #findStoreFault(): Promise<string | undefined> {
    return new Promise((resolve) => {
      this.#requests.send(this.#probeSubject, "", { timeoutMs: PROBE_MS }, (answer) => {
        const result = typeof answer === "string" ? new Error(answer) : parseAck(answer);
        const isStored = result !== undefined && !(result instanceof Error);
        resolve(isStored ? undefined : `JetStream stores nothing: ${result?.message ?? "unknown answer"}`);
      });
    });
  }

  #become(health: BrokerHealth): void {
    const before = this.#current;
    const isSame = before.ok === health.ok && (health.ok || before.ok || before.reason === health.reason);
    if (isSame) return;
    this.#current = health;
    if (health.ok) this.#log.info("broker is well again");
    else this.#log.warn({ reason: health.reason }, "broker is not well");
    for (const listener of this.#listeners) listener(health);
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.check(), this.#current.ok ? WELL_MS : AILING_MS);
  }
}
