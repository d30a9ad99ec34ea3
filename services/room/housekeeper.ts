import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { ControlStore } from "../../broker/broker.ts";
import { controlKeys } from "../control-keys.ts";
import { RoomError } from "../errors.ts";
import type { RoomId, Uid } from "../ids.ts";
import { FIXED } from "../limits.ts";
import type { Logger } from "../log.ts";
import type { RecordedAct } from "./audit-trail.ts";
import type { ControlFold } from "./control-fold.ts";
import type { ControlWriter } from "./control-writer.ts";
import { eachBounded } from "./each-bounded.ts";
import type { ExpiredStanding } from "./standings.ts";

/** How often it is looked, in milliseconds. Nothing depends on it: what has ended has no effect, stored or not. */
const SWEEP_MS = 60_000;
/** What ended by itself is kept for as long, in milliseconds, since clocks differ. */
const KEEP_MS = 3_600_000;
/** Keys deleted in one round, and at once. */
const MAX_DELETED = 10_000;
const WRITES = 16;

const KEYS: { readonly [K in ExpiredStanding["kind"]]: (room: RoomId, uid: Uid) => string } = controlKeys;

/**
 * Deletes from the control log what no longer has an effect: bans and mutes that ended, revocations of tokens
 * that have ended themselves, and old acts of the audit log.
 */
export class Housekeeper {
  readonly #control: ControlStore;
  readonly #fold: ControlFold;
  readonly #writer: ControlWriter;
  readonly #log: Logger;
  readonly #now: () => number;
  #sweeping: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: {
    control: ControlStore;
    fold: ControlFold;
    writer: ControlWriter;
    log: Logger;
    now: () => number;
  }) {
    this.#control = options.control;
    this.#fold = options.fold;
    this.#writer = options.writer;
    this.#log = options.log;
    this.#now = options.now;
  }

  /** Begins to look from time to time. */
  start(): void {
    // Replicas look at different times, so that one finds little left to do.
    this.#timer = setInterval(() => void this.sweep(), SWEEP_MS * (1 + Math.random() / 2));
  }

  /** Stops looking, once a round under way is over. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping;
  }

  /** One round; joins the one under way. Never rejects: what could not be deleted is left for the next. */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#round().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  async #round(): Promise<void> {
    if (!this.#fold.healthy) return;
    try {
      const ended = [...this.#fold.standings.expired(this.#now() - KEEP_MS)].slice(0, MAX_DELETED);
      await eachBounded(ended, WRITES, (expired) => this.#forget(expired));
      const forgotten = this.#fold.revoked.decidedBefore(this.#now() - FIXED.revocationMs);
      await eachBounded(forgotten, WRITES, ({ key }) => this.#writer.delete(key));
      await eachBounded(this.#surplus(), WRITES, ({ id }) => this.#writer.delete(controlKeys.audit(id)));
    } catch (error) {
      const unavailable = error instanceof RoomError && error.reason === "unavailable";
      this.#log[unavailable ? "warn" : "error"]({ err: error }, "housekeeping failed");
    }
  }

  /** Asked at the store itself: somebody may have decided anew, and this replica not have heard of it. */
  async #forget({ kind, room, uid, revision }: ExpiredStanding): Promise<void> {
    const key = KEYS[kind](room, uid);
    if ((await this.#control.get(key))?.revision === revision) await this.#writer.delete(key);
  }

  #surplus(): RecordedAct[] {
    const { audit } = this.#fold;
    const oldest = this.#now() - FIXED.auditMs;
    const surplus: RecordedAct[] = [];
    let left = audit.size;
    for (const act of audit.oldest()) {
      const at = act.event.createTime === undefined ? 0 : timestampMs(act.event.createTime);
      if ((left <= FIXED.auditEvents && at >= oldest) || surplus.length === MAX_DELETED) break;
      surplus.push(act);
      left--;
    }
    return surplus;
  }
}
