import type { Config } from "../services/config.ts";
import type { Logger } from "../services/log.ts";
import type { Broker } from "./broker.ts";
import { openEmbeddedBroker } from "./embedded.ts";
import { type NatsAuth, type NatsTls, openNatsBroker } from "./nats.ts";

/**
 * Opens the engine that the configuration names: NATS where NATS_URL is set, else the embedded one.
 * @throws BrokerOpenError
 */
export function openBroker({ config, log }: { readonly config: Config; readonly log: Logger }): Promise<Broker> {
  const retention = {
    maxMessages: config.historyMaxMessages,
    maxAgeMs: config.historyMaxAge,
    maxBytes: config.historyMaxBytes,
  };
  if (config.natsUrl === undefined) {
    const { dataDir, backupDir: directory, backupEvery: everyMs, backupKeep: keep } = config;
    const backup = directory === undefined ? undefined : { directory, everyMs, keep };
    return openEmbeddedBroker({ dataDir, retention, backup, log });
  }
  return openNatsBroker({
    servers: config.natsUrl,
    auth: natsAuth(config),
    tls: natsTls(config),
    prefix: config.natsPrefix,
    replicas: config.natsReplicas,
    adopt: config.natsAdopt === "1",
    minClusterVersion: config.natsMinClusterVersion,
    retention,
    owner: config.role !== "edge",
    name: config.edgeId ?? `${config.natsPrefix}-${config.role}`,
    log,
  });
}

/** TLS towards NATS. Undefined when nothing is set: then the servers' URLs say whether there is TLS. */
export function natsTls({ natsTlsCa: ca, natsTlsCert: cert, natsTlsKey: key }: Config): NatsTls | undefined {
  return ca === undefined && cert === undefined ? undefined : { ca, cert, key };
}

/** How to log in to NATS. Undefined when the servers' URLs hold the credentials, or none are needed. */
export function natsAuth({ natsCreds, natsUser, natsPassword, natsToken }: Config): NatsAuth | undefined {
  if (natsCreds !== undefined) return { credsFile: natsCreds };
  if (natsUser !== undefined && natsPassword !== undefined) return { user: natsUser, password: natsPassword };
  return natsToken === undefined ? undefined : { token: natsToken };
}
