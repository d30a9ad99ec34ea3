import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Broker } from "../../broker/broker.ts";
import { type EmbeddedOptions, openEmbeddedBroker } from "../../broker/embedded.ts";
import type { Retention } from "../../broker/retention.ts";
import { createLog, type Logger } from "../../services/log.ts";
import { GENEROUS, type Storage } from "./engine.ts";

/** A logger whose lines can be read. */
export function recordingLog(): { readonly log: Logger; readonly lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const log = createLog({ level: "info", output: { write: (line) => lines.push(JSON.parse(line)) } });
  return { log, lines };
}

/** A directory for the embedded engine. */
export class EmbeddedStorage implements Storage {
  readonly dataDir: string;

  static async create(): Promise<EmbeddedStorage> {
    return EmbeddedStorage.at(await mkdtemp(join(tmpdir(), "baccarat-embedded-")));
  }

  /** A directory that may exist. */
  static at(dataDir: string): EmbeddedStorage {
    return new EmbeddedStorage(dataDir);
  }

  private constructor(dataDir: string) {
    this.dataDir = dataDir;
  }

  open(retention: Retention = GENEROUS, options: Partial<EmbeddedOptions> = {}): Promise<Broker> {
    return openEmbeddedBroker({ dataDir: this.dataDir, retention, log: recordingLog().log, ...options });
  }

  async dispose(): Promise<void> {
    await rm(this.dataDir, { recursive: true, force: true });
  }
}
