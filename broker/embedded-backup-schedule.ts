import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "../services/log.ts";
import { copyName, copyTime, keepNewest } from "./embedded-backup.ts";
import { textOf } from "./embedded-database.ts";

/** Backups that the embedded engine makes of itself while it runs. */
export interface BackupOptions {
  /** Where they are written; made when it is not there. */
  readonly directory: string;
  /** How old the newest may be, in milliseconds. */
  readonly everyMs: number;
  /** How many are kept. */
  readonly keep: number;
}

/** How often it is looked whether one is due, at most, in milliseconds. */
const LOOK_MS = 60_000;

/** Makes a backup whenever the newest one has become old, that of an earlier run included. */
export class BackupSchedule {
  readonly #options: BackupOptions;
  readonly #write: (path: string) => Promise<void>;
  readonly #log: Logger;
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | undefined;
  #problem: string | undefined;

  /** @param options.write writes the log, as it is now, to a file that is not there. */
  constructor(options: BackupOptions & { write: (path: string) => Promise<void>; log: Logger }) {
    this.#options = options;
    this.#write = options.write;
    this.#log = options.log;
    this.#timer = setInterval(() => this.#look(), Math.min(options.everyMs, LOOK_MS)).unref();
    this.#look();
  }

  /** Why there is no new backup; undefined while all is well. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Begins no more. Resolves when one under way is over. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  #look(): void {
    this.#running ??= this.#backUpIfDue().finally(() => {
      this.#running = undefined;
    });
  }

  async #backUpIfDue(): Promise<void> {
    const { directory, everyMs, keep } = this.#options;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const now = new Date();
      const newest = Math.max(0, ...readdirSync(directory).map((name) => copyTime(name)));
      if (now.getTime() - newest < everyMs) return;
      const path = join(directory, copyName(now));
      await this.#write(path);
      await keepNewest(directory, keep);
      this.#problem = undefined;
      this.#log.info({ path, ms: Date.now() - now.getTime() }, "backup written");
    } catch (error) {
      this.#problem = `the last backup failed: ${textOf(error)}`;
      this.#log.error({ err: error, directory }, "a backup could not be written");
    }
  }
}
