import type { DatabaseSync } from "node:sqlite";
import { writeCopy } from "./embedded-backup.ts";
import { ControlTable } from "./embedded-control-table.ts";
import { openDatabase, prepare } from "./embedded-database.ts";
import { DedupeWindow } from "./embedded-dedupe.ts";
import { EventLog } from "./embedded-events.ts";
import type {
  ControlAnswer,
  ControlWrite,
  EventAnswer,
  EventWrite,
  Read,
  ReadAnswer,
  ReadKind,
  Reads,
  StorageOptions,
} from "./embedded-protocol.ts";
import { ROW_BYTES } from "./embedded-retention.ts";

/** Rows one trimming transaction outside a write may delete: short enough for a publish to wait for. */
const TRIM_ROWS = 1_000;
/** What a probe writes. More than fits in the pages at hand, so that it fails as long as a full disk does. */
const PROBE_BYTES = 16_384;

/** What a transaction did, in the order of its writes. */
interface Done {
  readonly events: readonly EventAnswer[];
  readonly control: readonly ControlAnswer[];
}

/** Everything the embedded engine stores, behind transactions. Runs in the storage thread; every method blocks. */
export class Storage {
  /** Identity of the log. */
  readonly epoch: string;
  readonly #db: DatabaseSync;
  readonly #dedupe: DedupeWindow;
  readonly #events: EventLog;
  readonly #control: ControlTable;
  /** A transaction was undone, and what is kept in memory has not been read again since. */
  #stale = false;

  /** @throws BrokerOpenError */
  constructor(options: StorageOptions & { readonly now?: () => number }) {
    this.#db = openDatabase(options);
    const { retention, now } = options;
    this.#dedupe = new DedupeWindow({ db: this.#db, now });
    this.#events = new EventLog({ db: this.#db, retention, dedupe: this.#dedupe, now });
    this.#control = new ControlTable(this.#db);
    this.epoch = prepare<{ value: string }>(this.#db, "SELECT value FROM meta WHERE name = 'epoch'").get()?.value ?? "";
  }

  /** Does all writes in one transaction, or none. @throws Error of SQLite. */
  write(events: readonly EventWrite[], control: readonly ControlWrite[]): Done {
    return this.#transaction(() => {
      const written = {
        events: events.map((event) => this.#events.append(event)),
        control: control.map((change) => this.#control.apply(change)),
      };
      // Twice what came in: a log at its limit shrinks to it under any load, and no single write pays for much.
      const bytes = events.reduce((sum, event) => sum + event.body.length + ROW_BYTES, 0);
      if (bytes > 0) this.#trim(Math.ceil((2 * bytes) / ROW_BYTES), 2 * events.length);
      return written;
    });
  }

  /** Deletes some of what is no longer shown or remembered; true when it may have left some. @throws Error of SQLite. */
  trim(): boolean {
    return this.#transaction(() => this.#trim(TRIM_ROWS, TRIM_ROWS)) > 0;
  }

  /** Finds out whether writing works. @throws Error of SQLite while it does not. */
  probe(): void {
    this.#transaction(() => this.#db.exec(`INSERT INTO probe VALUES (zeroblob(${PROBE_BYTES}))`));
    this.#transaction(() => this.#db.exec("DELETE FROM probe"));
  }

  /** Does a read. @throws Error of SQLite. */
  read<K extends ReadKind>(read: Read<K>): ReadAnswer<K> {
    this.#refresh();
    const answer: (read: Read<K>) => ReadAnswer<K> = this.#reads[read.kind];
    return answer(read);
  }

  /** Writes all of it to a file while it goes on. @throws Error of SQLite or of the system. */
  backUp(path: string): Promise<void> {
    return writeCopy(this.#db, path);
  }

  close(): void {
    this.#db.close();
  }

  readonly #reads: { readonly [K in ReadKind]: (ask: Reads[K]["ask"]) => Reads[K]["answer"] } = {
    history: ({ room, range }) => this.#events.history(room, range),
    position: ({ room }) => this.#events.position(room),
    logEnd: () => this.#events.end,
    logStart: () => this.#events.start(),
    storedAt: ({ seq }) => this.#events.storedAt(seq),
    tail: ({ after }) => this.#events.tail(after),
    entry: ({ key }) => this.#control.get(key),
    entries: () => this.#control.all(),
  };

  /** `rows` may be deleted, and `changes` of the index written on top of those that this makes. */
  #trim(rows: number, changes: number): number {
    const trimmed = this.#events.trim(rows) + this.#dedupe.trim(rows);
    return trimmed + this.#events.settle(changes + trimmed);
  }

  #transaction<T>(work: () => T): T {
    this.#refresh();
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#events.save();
      this.#control.save();
      this.#db.exec("COMMIT");
      return result;
    } catch (error) {
      this.#stale = true;
      // SQLite has already undone it after some errors, a full disk among them.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  #refresh(): void {
    if (!this.#stale) return;
    this.#events.reload();
    this.#control.reload();
    this.#stale = false;
  }
}
