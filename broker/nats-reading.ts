import type { Logger } from "../services/log.ts";
import type { ControlStore } from "./broker.ts";
import type { JetStreamApi } from "./nats-api.ts";
import { ForwardReader } from "./nats-forward.ts";
import { RoomIndex } from "./nats-index.ts";
import type { NatsLink } from "./nats-link.ts";
import { IndexedRooms, type RoomViews, ScannedRooms } from "./nats-rooms.ts";
import { Scanner } from "./nats-scan.ts";
import { Trimmer, type TrimRecord } from "./nats-trim.ts";
import { OWN_KEYS } from "./nats-watch.ts";
import type { Wiper } from "./nats-wipe.ts";
import type { NatsNames } from "./subjects.ts";

/** How many events trimming left in rooms, at the least. */
const TRIMMED_KEY = `${OWN_KEYS}trimmed`;
/** How long the record is relied on: it changes when somebody configures fewer events than ever before. */
const RECORD_MS = 60_000;

/** What reading needs. */
export interface ReadingOptions {
  readonly link: NatsLink;
  readonly api: JetStreamApi;
  readonly log: Logger;
  readonly names: NatsNames;
  readonly control: ControlStore;
  readonly wiper: Wiper;
  readonly maxMessages: number;
  /** NatsOptions.indexedEvents. */
  readonly indexedEvents: number;
}

/** How history is read, and how to stop what runs for it. */
export interface Reading {
  readonly views: RoomViews;
  readonly forward: ForwardReader | undefined;
  stop(): void;
}

/** Reads by an index of the log, which also trims it. @throws RoomError unavailable when the log is not read in time. */
export async function openIndex(options: ReadingOptions, withinMs: number): Promise<Reading> {
  const { api, log, names, maxMessages } = options;
  const record = trimRecord(options.control);
  const trimmer = new Trimmer({ api, stream: names.logStream, log, keeps: maxMessages, record });
  const index = new RoomIndex({ maxMessages, onForgotten: (seqs) => trimmer.trim(seqs) });
  const trimmedTo = await record.read();
  if (trimmedTo !== undefined) index.trimmedTo(trimmedTo);
  const scanner = new Scanner({ ...options, stream: names.logStream });
  try {
    const rooms = await IndexedRooms.open({ ...options, index, scanner }, withinMs);
    const stop = (): void => {
      rooms.stop();
      trimmer.stop();
    };
    return { views: rooms, forward: undefined, stop };
  } catch (error) {
    trimmer.stop();
    throw error;
  }
}

/** Reads by looking through the log each time. */
export function openScans(options: ReadingOptions): Reading {
  const { api, names, control, maxMessages } = options;
  const stream = names.logStream;
  const trimmedTo = remembered(RECORD_MS, () => trimRecord(control).read());
  const shown = async (): Promise<number> => Math.min(maxMessages, (await trimmedTo()) ?? maxMessages);
  return {
    views: new ScannedRooms({ api, scanner: new Scanner({ ...options, stream }), stream, maxMessages, trimmedTo }),
    forward: new ForwardReader({ api, stream, shown }),
    stop: () => undefined,
  };
}

function trimRecord(control: ControlStore): TrimRecord {
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

/** Asks again only after `ms`. */
function remembered<T>(ms: number, ask: () => Promise<T>): () => Promise<T> {
  let answer: { readonly value: T; readonly until: number } | undefined;
  return async () => {
    if (answer === undefined || performance.now() > answer.until) {
      answer = { value: await ask(), until: performance.now() + ms };
    }
    return answer.value;
  };
}
