import type { Config } from "../services/config.ts";
import type { Logger } from "../services/log.ts";
import { replaceEpoch as replaceEmbeddedEpoch } from "./embedded-database.ts";
import { JetStreamApi } from "./nats-api.ts";
import { NatsControl } from "./nats-control.ts";
import { replaceEpoch, storedEpoch } from "./nats-epoch.ts";
import { NatsLink } from "./nats-link.ts";
import { Writer } from "./nats-publish.ts";
import { Requests } from "./nats-requests.ts";
import { natsAuth, natsTls } from "./open.ts";
import { NatsNames } from "./subjects.ts";

/** A log's identity, before and after it was given another one. */
export interface EpochChange {
  /** Empty when it had none. */
  readonly before: string;
  readonly after: string;
}

const OPEN_MS = 5_000;
const FLUSH_MS = 1_000;

/**
 * Gives the log that the configuration names another epoch, as it needs after it was restored from a backup: what clients
 * know of positions is of a log that is gone. Processes that run on NATS notice it and end; the embedded log must not be in
 * use.
 * @throws BrokerOpenError, RoomError unavailable, ApiError when there is no such log.
 */
export async function bumpEpoch({
  config,
  log,
}: {
  readonly config: Config;
  readonly log: Logger;
}): Promise<EpochChange> {
  if (config.natsUrl === undefined) return replaceEmbeddedEpoch(config.dataDir);
  const link = await NatsLink.open({
    servers: config.natsUrl,
    auth: natsAuth(config),
    tls: natsTls(config),
    name: "roomctl epoch bump",
    openMs: OPEN_MS,
    log,
  });
  const names = new NatsNames(config.natsPrefix);
  const requests = new Requests({ link });
  const api = new JetStreamApi({ requests });
  const writer = new Writer({ requests, isClustered: () => true, onTrouble: () => undefined });
  const control = new NatsControl({ link, api, writer, names, log, markers: undefined });
  try {
    const { created } = await api.info(names.logStream);
    const before = (await storedEpoch(control)) ?? "";
    return { before, after: await replaceEpoch(control, created) };
  } finally {
    control.close();
    await writer.close();
    requests.close();
    await link.close(FLUSH_MS);
  }
}
