import { createHash, randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { JetStreamApi, type StreamInfo } from "./nats-api.ts";
import { NatsControl } from "./nats-control.ts";
import { Decoder } from "./nats-decode.ts";
import { ForwardReader } from "./nats-forward.ts";
import { Health } from "./nats-health.ts";
import { History } from "./nats-history.ts";
import { RoomIndex } from "./nats-index.ts";
import type { NatsLink } from "./nats-link.ts";
import { Live } from "./nats-live.ts";
import { MarkerSweeper } from "./nats-markers.ts";
import type { NatsOptions } from "./nats-options.ts";
import { Writer } from "./nats-publish.ts";
import { Requests } from "./nats-requests.ts";
import { IndexedRooms, ScannedRooms } from "./nats-rooms.ts";
import { Scanner } from "./nats-scan.ts";
import { controlSettings, ensureStream, logSettings } from "./nats-stream.ts";
import { Trimmer, type TrimRecord } from "./nats-trim.ts";
import { OWN_KEYS } from "./nats-watch.ts";
import { Wiper } from "./nats-wipe.ts";
import { BrokerOpenError } from "./open-error.ts";
import { NatsNames } from "./subjects.ts";

/** Salt of the epoch; written anew after the log was restored from a backup. */
const EPOCH_KEY = `${OWN_KEYS}epoch`;
/** Written to see whether anything can be stored. */
const PROBE_KEY = `${OWN_KEYS}probe`;
/** How many events trimming left in rooms, at the least. */
const TRIMMED_KEY = `${OWN_KEYS}trimmed`;

const CLUSTER_REPLICAS = 3;
const RETRY_MS = 250;
/** The record changes when somebody configures fewer events than ever before. */
const RECORD_MS = 60_000;

/** Everything a NatsBroker consists of, opened and running. */
export interface NatsParts {
  readonly epoch: string;
  readonly names: NatsNames;
  readonly link: NatsLink;
  readonly requests: Requests;
  readonly api: JetStreamApi;
  readonly writer: Writer;
  readonly decoder: Decoder;
  readonly live: Live;
  readonly history: History;
  readonly control: NatsControl;
  readonly health: Health;
  readonly wiper: Wiper;
  /** Ends what runs by itself. */
  readonly stops: readonly (() => void)[];
}

/**
 * Puts the engine together on a connection, and makes sure that its streams exist.
 * @param deadline when to give up, on the clock of performance.now().
 * @throws BrokerOpenError
 */
export async function assemble(link: NatsLink, options: NatsOptions, deadline: number): Promise<NatsParts> {
  const { log, owner } = options;
  const names = new NatsNames(options.prefix);
  const requests = new Requests({ link });
  const api = new JetStreamApi({ requests });
  const { logInfo, controlInfo } = await ensureStreams(api, names, link.clustered, options, deadline);
  const health = new Health({
    link,
    api,
    requests,
    probeSubject: names.control(PROBE_KEY),
    log,
    streams: [
      { name: names.logStream, created: logInfo.created },
      { name: names.controlStream, created: controlInfo.created },
    ],
  });
  const writer = new Writer({ requests, onTrouble: () => health.check() });
  const markers = owner ? new MarkerSweeper({ api, stream: names.controlStream, log, ...options.markers }) : undefined;
  const control = new NatsControl({ link, api, writer, names, log, markers });
  const decoder = new Decoder({ log });
  const wiper = new Wiper({ api, stream: names.logStream, log });
  const stops = [() => control.close(), () => wiper.stop(), () => health.stop()];
  try {
    const epoch = await readEpoch(control, logInfo, owner, deadline);
    const live = new Live({ link, api, names, decoder });
    const reading = owner ? { views: await openIndex(), forward: undefined } : openScans();
    const history = new History({ api, names, decoder, ...reading });
    return { epoch, names, link, requests, api, writer, decoder, live, history, control, health, wiper, stops };
  } catch (error) {
    for (const stop of stops) stop();
    requests.close();
    throw error;
  }

  async function openIndex(): Promise<IndexedRooms> {
    const { maxMessages } = options.retention;
    const record = trimRecord(control);
    const trimmer = new Trimmer({ api, stream: names.logStream, log, keeps: maxMessages, record });
    stops.push(() => trimmer.stop());
    const index = new RoomIndex({ maxMessages, onForgotten: (seqs) => trimmer.trim(seqs) });
    const trimmedTo = await record.read();
    if (trimmedTo !== undefined) index.trimmedTo(trimmedTo);
    const scanner = new Scanner({ link, api, log, stream: names.logStream });
    const rooms = await IndexedRooms.open(
      { link, api, log, names, index, scanner, wiper, maxMessages },
      deadline - performance.now(),
    );
    stops.push(() => rooms.stop());
    return rooms;
  }

  function openScans(): { views: ScannedRooms; forward: ForwardReader } {
    const { maxMessages } = options.retention;
    const stream = names.logStream;
    const trimmedTo = remembered(RECORD_MS, () => trimRecord(control).read());
    const scanner = new Scanner({ link, api, log, stream });
    const shown = async (): Promise<number> => Math.min(maxMessages, (await trimmedTo()) ?? maxMessages);
    return {
      views: new ScannedRooms({ api, scanner, stream, maxMessages, trimmedTo }),
      forward: new ForwardReader({ api, stream, shown }),
    };
  }
}

/** Asks again only after `ms`. */
function remembered<T>(ms: number, ask: () => Promise<T>): () => Promise<T> {
  let answer: T | undefined;
  let asked = Number.NEGATIVE_INFINITY;
  return async () => {
    if (performance.now() - asked > ms) {
      answer = await ask();
      asked = performance.now();
    }
    return answer as T;
  };
}

async function ensureStreams(
  api: JetStreamApi,
  names: NatsNames,
  clustered: boolean,
  options: NatsOptions,
  deadline: number,
): Promise<{ logInfo: StreamInfo; controlInfo: StreamInfo }> {
  const replicas = options.replicas ?? (clustered ? CLUSTER_REPLICAS : 1);
  const access = { api, log: options.log, owner: options.owner, adopt: options.adopt ?? false, deadline };
  const [logInfo, controlInfo] = await Promise.all([
    ensureStream(access, logSettings(names, replicas, options.retention)),
    ensureStream(access, controlSettings(names, replicas)),
  ]);
  return { logInfo, controlInfo };
}

/** Of the stream's own creation, which no backup brings back, and of the salt, which an operator can change. */
async function readEpoch(control: NatsControl, log: StreamInfo, owner: boolean, deadline: number): Promise<string> {
  for (;;) {
    const salt = await control.get(EPOCH_KEY);
    if (salt?.value) return createHash("sha256").update(log.created).update(salt.value).digest("hex").slice(0, 16);
    if (owner) await control.create(EPOCH_KEY, randomBytes(16));
    else if (performance.now() < deadline) await delay(RETRY_MS);
    else throw new BrokerOpenError("failed", "the log has no epoch yet: is a RoomService running?");
  }
}

function trimRecord(control: NatsControl): TrimRecord {
  return {
    read: async () => {
      const entry = await control.get(TRIMMED_KEY);
      return entry?.value ? Number(Buffer.from(entry.value).toString("latin1")) : undefined;
    },
    write: async (events) => {
      await control.put(TRIMMED_KEY, Buffer.from(String(events), "latin1"));
    },
  };
}
