import type { DatabaseSync } from "node:sqlite";
import type { ControlEntry } from "./broker.ts";
import { prepare, type Query } from "./embedded-database.ts";
import type { ControlAnswer, ControlWrite } from "./embedded-protocol.ts";

/**
 * The control log: the last value of each key. A deleted key's row is gone; the revision is a counter of its own, so that
 * it goes on increasing after the last row was deleted.
 */
export class ControlTable {
  readonly #put: Query;
  readonly #create: Query;
  readonly #delete: Query;
  readonly #get: Query<ControlEntry>;
  readonly #all: Query<ControlEntry>;
  readonly #load: Query<{ value: number }>;
  readonly #save: Query;
  #revision = 0;
  #savedRevision = 0;

  constructor(db: DatabaseSync) {
    const insert = "INSERT INTO control (key, revision, value) VALUES (?, ?, ?) ON CONFLICT (key) DO";
    this.#put = prepare(db, `${insert} UPDATE SET revision = excluded.revision, value = excluded.value`);
    this.#create = prepare(db, `${insert} NOTHING`);
    this.#delete = prepare(db, "DELETE FROM control WHERE key = ?");
    this.#get = prepare(db, "SELECT key, revision, value FROM control WHERE key = ?");
    this.#all = prepare(db, "SELECT key, revision, value FROM control ORDER BY revision");
    this.#load = prepare(db, "SELECT value FROM meta WHERE name = 'revision'");
    this.#save = prepare(db, "UPDATE meta SET value = ? WHERE name = 'revision'");
    this.reload();
  }

  /** Reads again what is kept in memory. */
  reload(): void {
    this.#revision = this.#load.get()?.value ?? 0;
    this.#savedRevision = this.#revision;
  }

  /** Changes a key, inside the caller's transaction. */
  apply(write: ControlWrite): ControlAnswer {
    const revision = this.#revision + 1;
    if (write.op === "delete") this.#delete.run(write.key);
    else if (write.op === "put") this.#put.run(write.key, revision, write.value);
    else if (Number(this.#create.run(write.key, revision, write.value).changes) === 0) {
      return { applied: false, revision: this.#revision };
    }
    this.#revision = revision;
    return { applied: true, revision };
  }

  /** Writes what has to survive a restart; the last step of a transaction. */
  save(): void {
    if (this.#revision === this.#savedRevision) return;
    this.#save.run(this.#revision);
    this.#savedRevision = this.#revision;
  }

  get(key: string): ControlEntry | undefined {
    return this.#get.get(key);
  }

  /** Every key, in order of revision. */
  all(): ControlEntry[] {
    return this.#all.all();
  }
}
