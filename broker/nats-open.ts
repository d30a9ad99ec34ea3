import { setTimeout as delay } from "node:timers/promises";
import { RoomError } from "../services/errors.ts";
import { OLDEST_NATS } from "../services/nats-version.ts";
import { isOfCluster, JetStreamApi, type StreamInfo } from "./nats-api.ts";
import { API_ERROR, ApiError } from "./nats-api-error.ts";
import { NatsControl } from "./nats-control.ts";
import { Decoder } from "./nats-decode.ts";
import { readIdentity, storedEpoch } from "./nats-epoch.ts";
import { Health } from "./nats-health.ts";
import { History } from "./nats-history.ts";
import type { NatsLink } from "./nats-link.ts";
import { Live } from "./nats-live.ts";
import { MarkerSweeper } from "./nats-markers.ts";
import type { NatsOptions } from "./nats-options.ts";
import { Writer } from "./nats-publish.ts";
import { openIndex, openScans } from "./nats-reading.ts";
import { Requests } from "./nats-requests.ts";
import { ConnectedServers } from "./nats-servers.ts";
import { controlSettings, ensureStream, logSettings } from "./nats-stream.ts";
import { OWN_KEYS } from "./nats-watch.ts";
import { Wiper } from "./nats-wipe.ts";
import { BrokerOpenError } from "./open-error.ts";
import { NatsNames } from "./subjects.ts";

/** Written to see whether anything can be stored. */
const PROBE_KEY = `${OWN_KEYS}probe`;

const CLUSTER_REPLICAS = 3;
const RETRY_MS = 250;
const INDEXED_EVENTS = 2_000_000;

/** Everything a NatsBroker consists of, opened and running. */
export interface NatsParts {
  readonly epoch: string;
  readonly names: NatsNames;
  readonly link: NatsLink;
  /** Where feeds of the log come in; the same as `link` where little does. */
  readonly feedLink: NatsLink;
  readonly requests: Requests;
  readonly api: JetStreamApi;
  readonly writer: Writer;
  readonly decoder: Decoder;
  readonly live: Live;
  readonly history: History;
  readonly control: NatsControl;
  readonly health: Health;
  readonly servers: ConnectedServers;
  readonly wiper: Wiper;
  /** Ends what runs by itself. */
  readonly stops: readonly (() => void)[];
}

/**
 * Puts the engine together on its connections, and makes sure that its streams exist.
 * @param deadline when to give up, on the clock of performance.now().
 * @throws BrokerOpenError
 */
export async function assemble(
  links: { readonly link: NatsLink; readonly feedLink: NatsLink },
  options: NatsOptions,
  deadline: number,
): Promise<NatsParts> {
  const { link, feedLink } = links;
  const { log, owner } = options;
  const names = new NatsNames(options.prefix);
  const requests = new Requests({ link });
  const api = new JetStreamApi({ requests });
  const stops: (() => void)[] = [];
  try {
    const health = new Health({ link, api, requests, probeSubject: names.control(PROBE_KEY), log });
    stops.push(() => health.stop());
    const minClusterVersion = options.minClusterVersion ?? OLDEST_NATS;
    const servers = new ConnectedServers({ links: [link, feedLink], minClusterVersion, log });
    stops.push(() => servers.stop());
    // Behind a leaf node a single server may talk to the streams of a cluster; until that is known, they might be.
    let hasClusteredLog = true;
    const isClustered = () => hasClusteredLog || link.clustered;
    const writer = new Writer({ requests, isClustered, onTrouble: () => health.check() });
    const sweeping = { api, stream: names.controlStream, log, ...options.markers };
    const markers = owner ? new MarkerSweeper(sweeping) : undefined;
    const control = new NatsControl({ link, api, writer, names, log, markers });
    stops.push(() => control.close());
    const decoder = new Decoder({ log });
    const wiper = new Wiper({ api, stream: names.logStream, log });
    stops.push(() => wiper.stop());

    const identity = await patiently(deadline, async () => {
      const [logInfo, controlInfo] = await ensureStreams(api, names, link.clustered, options, deadline);
      hasClusteredLog = isOfCluster(logInfo);
      const found = await readIdentity({ control, api, names, created: logInfo.created, owner });
      const created = { [names.logStream]: found.created, [names.controlStream]: controlInfo.created };
      health.watch(created, { opened: found.epoch, stored: () => storedEpoch(control) });
      return found;
    });
    const { maxMessages } = options.retention;
    const indexedEvents = options.indexedEvents ?? INDEXED_EVENTS;
    const reads = { link: feedLink, api, log, names, control, wiper, maxMessages, indexedEvents };
    const openReading = async () => (owner ? openIndex(reads, deadline - performance.now()) : openScans(reads));
    const reading = await patiently(deadline, openReading);
    stops.push(() => reading.stop());
    const history = new History({ api, names, decoder, ...reading });
    const live = new Live({ link, api, names, decoder });
    const { epoch } = identity;
    const storing = { requests, api, writer, wiper, control, health, servers };
    return { epoch, names, ...links, ...storing, decoder, live, history, stops };
  } catch (error) {
    for (const stop of stops) stop();
    requests.close();
    throw error;
  }
}

async function ensureStreams(
  api: JetStreamApi,
  names: NatsNames,
  clustered: boolean,
  options: NatsOptions,
  deadline: number,
): Promise<[StreamInfo, StreamInfo]> {
  const replicas = options.replicas ?? (clustered ? CLUSTER_REPLICAS : 1);
  const access = { api, log: options.log, owner: options.owner, adopt: options.adopt ?? false, deadline };
  return Promise.all([
    ensureStream(access, logSettings(names, replicas, options.retention)),
    ensureStream(access, controlSettings(names, replicas)),
  ]);
}

/**
 * Tries until the time is over. An election, or another process that is not ready yet, is no reason to end; nor is a
 * stream that vanishes, as happens when two processes create it at the same time in a cluster of 2.9.
 */
async function patiently<T>(deadline: number, attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const hasVanished = error instanceof ApiError && error.errCode === API_ERROR.streamNotFound;
      if (!(error instanceof RoomError || hasVanished)) throw error;
      if (performance.now() + RETRY_MS > deadline) {
        throw new BrokerOpenError("failed", `the broker could not be opened in time: ${error.message}`, {
          cause: error,
        });
      }
      await delay(RETRY_MS);
    }
  }
}
