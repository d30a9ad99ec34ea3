import type { Config } from "../services/config.ts";
import type { Logger } from "../services/log.ts";
import { copyDatabase, restoreDatabase } from "./embedded-backup.ts";
import { bumpEpoch } from "./epoch.ts";
import { JetStreamApi } from "./nats-api.ts";
import { type OnBytes, restoreStream, snapshotStream } from "./nats-backup.ts";
import { NatsLink } from "./nats-link.ts";
import { Requests } from "./nats-requests.ts";
import { natsAuth, natsTls } from "./open.ts";
import { NatsNames } from "./subjects.ts";

/** Where to write a backup, or where one is. */
export interface BackupPlace {
  readonly config: Config;
  readonly directory: string;
  readonly log: Logger;
  /** With NATS, after every chunk. Default: nobody hears. */
  readonly onBytes?: OnBytes;
}

/** A part of a backup. */
export interface BackupPart {
  readonly name: string;
  /** Undefined where that is not counted. */
  readonly messages: number | undefined;
}

const unheard: OnBytes = () => undefined;
const OPEN_MS = 5_000;
const FLUSH_MS = 1_000;

/**
 * Writes the log and the control log into a directory. With NATS everything may go on meanwhile; the embedded log must not
 * be in use, since its process makes backups by itself (BACKUP_DIR).
 * @throws BrokerOpenError, RoomError unavailable, ApiError, or the system's error.
 */
export async function backUp({ config, directory, log, onBytes = unheard }: BackupPlace): Promise<BackupPart[]> {
  if (config.natsUrl === undefined) {
    return [{ name: await copyDatabase(config.dataDir, directory), messages: undefined }];
  }
  return await withNats(config, log, async ({ link, api }, names) => {
    const parts: BackupPart[] = [];
    // The control log first: what happened meanwhile may be in the log, but nothing the other way round.
    for (const stream of [names.controlStream, names.logStream]) {
      parts.push({ name: stream, messages: await snapshotStream({ link, api, stream, directory, onBytes }) });
    }
    return parts;
  });
}

/**
 * Makes a log of a backup, with another epoch, where there is none. No process may run on it meanwhile.
 * @returns its epoch.
 * @throws BrokerOpenError, RoomError unavailable, or the system's error.
 */
export async function restore({ config, directory, log, onBytes = unheard }: BackupPlace): Promise<string> {
  if (config.natsUrl === undefined) return restoreDatabase(config.dataDir, directory);
  await withNats(config, log, async ({ api, requests }, names) => {
    for (const stream of [names.controlStream, names.logStream]) {
      await restoreStream({ api, requests, stream, directory, replicas: config.natsReplicas, onBytes });
    }
  });
  return (await bumpEpoch({ config, log })).after;
}

interface Nats {
  readonly link: NatsLink;
  readonly requests: Requests;
  readonly api: JetStreamApi;
}

async function withNats<T>(config: Config, log: Logger, use: (nats: Nats, names: NatsNames) => Promise<T>): Promise<T> {
  const servers = config.natsUrl ?? [];
  const access = { auth: natsAuth(config), tls: natsTls(config) };
  const link = await NatsLink.open({ servers, ...access, name: "roomctl backup", openMs: OPEN_MS, log });
  const requests = new Requests({ link });
  try {
    return await use({ link, requests, api: new JetStreamApi({ requests }) }, new NatsNames(config.natsPrefix));
  } finally {
    requests.close();
    await link.close(FLUSH_MS);
  }
}
