import type { Event, Signal } from "../gen/baccarat/v1/event_pb.ts";
import { RoomError } from "../services/errors.ts";
import type { RoomId } from "../services/ids.ts";
import type { Logger } from "../services/log.ts";
import type {
  Broker,
  BrokerHealth,
  HistoryPage,
  HistoryRange,
  Published,
  PublishOptions,
  RoomListener,
  RoomPosition,
  StoredEvent,
  Unsubscribe,
} from "./broker.ts";
import { type BackupOptions, BackupSchedule } from "./embedded-backup-schedule.ts";
import { EmbeddedControl } from "./embedded-control.ts";
import { type EventListener, LiveFeed } from "./embedded-live.ts";
import type { TailRow } from "./embedded-protocol.ts";
import { Tail } from "./embedded-tail.ts";
import { StorageThread } from "./embedded-thread.ts";
import { eventBytes, readEvent } from "./event-bytes.ts";
import type { Retention } from "./retention.ts";

/** How to open the embedded engine. */
export interface EmbeddedOptions {
  /** Directory of its files, created when missing. One process at a time. */
  readonly dataDir: string;
  readonly retention: Retention;
  /** Backups made while it runs. Default: none. */
  readonly backup?: BackupOptions | undefined;
  readonly log: Logger;
  /** Size of the database file above which writes fail as on a full disk, in bytes. Default: none. */
  readonly maxFileBytes?: number;
}

/**
 * Opens the embedded engine: SQLite in a thread of its own, and fan-out within the process. An acknowledged publish
 * survives kill -9 and, as far as the disk keeps its promises, power loss.
 * @throws BrokerOpenError
 */
export async function openEmbeddedBroker(options: EmbeddedOptions): Promise<Broker> {
  const { dataDir, retention, maxFileBytes, backup, log } = options;
  const thread = await StorageThread.open({ storage: { dataDir, retention, maxFileBytes }, log });
  return new EmbeddedBroker({ thread, end: await thread.ask({ kind: "logEnd" }), backup, log });
}

class EmbeddedBroker implements Broker {
  readonly epoch: string;
  /** Answers of the storage and live events are one and the same, within one process. */
  readonly losesLive = false;
  readonly control: EmbeddedControl;
  readonly #thread: StorageThread;
  readonly #log: Logger;
  readonly #live: LiveFeed;
  readonly #tails = new Set<Tail>();
  readonly #backups: BackupSchedule | undefined;
  /** Seq of the latest event that anybody was told to be stored. */
  #end: number;

  constructor(options: { thread: StorageThread; end: number; backup: BackupOptions | undefined; log: Logger }) {
    this.#end = options.end;
    this.#thread = options.thread;
    this.#log = options.log;
    this.#live = new LiveFeed({ log: options.log });
    this.epoch = this.#thread.epoch;
    this.control = new EmbeddedControl({ thread: this.#thread, live: this.#live });
    const { thread, backup, log } = options;
    this.#backups = backup && new BackupSchedule({ ...backup, write: (path) => thread.backUp(path), log });
  }

  get warning(): string | undefined {
    return this.#backups?.problem;
  }

  health(): BrokerHealth {
    return this.#thread.health.current;
  }

  onHealth(listener: (health: BrokerHealth) => void): Unsubscribe {
    return this.#thread.health.listen((health) => this.#live.call(() => listener(health)));
  }

  publish(room: RoomId, event: Event, options: PublishOptions = {}): Promise<Published> {
    // Lanes need nothing here: all writes are one queue, and after a failed one all that is queued fails.
    return new Promise((resolve, reject) => {
      const write = {
        room,
        body: eventBytes(event),
        dedupeId: options.dedupeId,
        deletedSeq: event.body.case === "deletion" ? Number(event.body.value.deletedSeq) : 0,
      };
      this.#thread.writeEvent(write, {
        done: ({ seq, prevSeq, duplicate }) => {
          resolve({ seq, duplicate });
          if (duplicate) return;
          this.#end = seq;
          this.#live.deliver({ room, seq, prevSeq, event });
        },
        fail: reject,
      });
    });
  }

  async subscribe(room: RoomId, listener: RoomListener): Promise<Unsubscribe> {
    this.#assertOpen();
    return this.#live.addRoom(room, listener);
  }

  async subscribeDirect(listener: EventListener): Promise<Unsubscribe> {
    this.#assertOpen();
    return this.#live.addDirect(listener);
  }

  async tail(after: number, listener: EventListener, onCaughtUp?: () => void): Promise<Unsubscribe> {
    const tail = new Tail({
      thread: this.#thread,
      live: this.#live,
      log: this.#log,
      decode: decodeRow,
      after,
      listener,
      onCaughtUp,
    });
    this.#tails.add(tail);
    const end = (): void => {
      tail.end();
      this.#tails.delete(tail);
    };
    try {
      await tail.start();
    } catch (error) {
      end();
      throw error;
    }
    return end;
  }

  signal(room: RoomId, signal: Signal): void {
    // Never within the call, so that a listener may send signals itself.
    setImmediate(() => {
      if (!this.#thread.isClosed) this.#live.deliverSignal(room, signal);
    });
  }

  async history(room: RoomId, range: HistoryRange): Promise<HistoryPage> {
    const { rows, prevSeq, ...page } = await this.#thread.ask({ kind: "history", room, range });
    let previous = prevSeq;
    const events = rows.map(({ seq, body }) => {
      const stored = decodeRow({ room, seq, prevSeq: previous, body });
      previous = seq;
      return stored;
    });
    return { ...page, events };
  }

  position(room: RoomId): Promise<RoomPosition> {
    return this.#thread.ask({ kind: "position", room });
  }

  /** What is stored and not acknowledged yet nobody knows of: it will be heard live. */
  async logEnd(): Promise<number> {
    this.#assertOpen();
    return this.#end;
  }

  /** As the log's, which is no less than any room's. */
  roomEnd(_room: RoomId): Promise<number> {
    return this.logEnd();
  }

  logStart(): Promise<number> {
    return this.#thread.ask({ kind: "logStart" });
  }

  storedAt(seq: number): Promise<number | undefined> {
    return this.#thread.ask({ kind: "storedAt", seq });
  }

  async close(): Promise<void> {
    await Promise.all([this.#backups?.close(), this.#thread.close()]);
    for (const tail of this.#tails) tail.end();
  }

  #assertOpen(): void {
    if (this.#thread.isClosed) throw new RoomError("unavailable", "the broker is closed");
  }
}

function decodeRow({ room, seq, prevSeq, body }: TailRow): StoredEvent {
  return { room, seq, prevSeq, event: readEvent(body) };
}
