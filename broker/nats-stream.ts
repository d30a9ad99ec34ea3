import { setTimeout as delay } from "node:timers/promises";
import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig } from "@nats-io/jetstream";
import type { Logger } from "../services/log.ts";
import { DEDUPE_WINDOW_MS } from "./broker.ts";
import type { JetStreamApi, StreamInfo } from "./nats-api.ts";
import { API_ERROR, ApiError } from "./nats-api-error.ts";
import { BrokerOpenError } from "./open-error.ts";
import type { Retention } from "./retention.ts";
import type { NatsNames } from "./subjects.ts";

/** Settings of one stream: those that matter, the rest stays as the server has it. */
export type StreamSettings = Partial<StreamConfig> & { readonly name: string };

const NANOS_PER_MS = 1_000_000;
const RETRY_MS = 250;
const CREATE_MS = 1_500;
const APART_MS = 200;

/** What may be changed on a stream that has messages; anything else means to create it anew. */
const EDITABLE: readonly (keyof StreamConfig)[] = ["max_age", "max_bytes", "num_replicas", "duplicate_window"];

/**
 * The log's stream. Republish repeats every stored message on a live subject, with its seq and its subject's previous
 * one; servers before 2.10 cannot change it later. No max_msgs_per_subject: at that limit ingest falls to a tenth
 * (measured), so what a room shows is bounded when it is read.
 */
export function logSettings(names: NatsNames, replicas: number, retention: Retention): StreamSettings {
  return {
    name: names.logStream,
    subjects: [names.allLog],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    num_replicas: replicas,
    max_age: retention.maxAgeMs * NANOS_PER_MS,
    max_bytes: retention.maxBytes,
    max_msgs_per_subject: -1,
    // Servers refuse a window longer than what they keep.
    duplicate_window: Math.min(DEDUPE_WINDOW_MS, retention.maxAgeMs) * NANOS_PER_MS,
    republish: { src: names.allLog, dest: names.allLive },
    allow_direct: true,
    deny_delete: false,
  };
}

/**
 * The control log's stream: a key-value bucket, which NATS's own tools can read. Unlike theirs it allows deletion of
 * single messages, by which markers of deleted keys are taken out.
 */
export function controlSettings(names: NatsNames, replicas: number): StreamSettings {
  return {
    name: names.controlStream,
    subjects: [names.allControl],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    num_replicas: replicas,
    max_msgs_per_subject: 1,
    duplicate_window: DEDUPE_WINDOW_MS * NANOS_PER_MS,
    allow_direct: true,
    allow_rollup_hdrs: true,
    deny_delete: false,
  };
}

/** How to get a stream. */
export interface StreamAccess {
  readonly api: JetStreamApi;
  readonly log: Logger;
  /** True for whoever creates and changes streams; others wait until they exist. */
  readonly owner: boolean;
  /** True to change what can be changed on a stream that has other settings. */
  readonly adopt: boolean;
  /** When to give up, on the clock of performance.now(), in milliseconds. */
  readonly deadline: number;
}

/**
 * Makes sure that a stream exists with these settings.
 * @throws BrokerOpenError that lists what differs, or says what is missing once the time is over.
 */
export async function ensureStream(access: StreamAccess, settings: StreamSettings): Promise<StreamInfo> {
  for (;;) {
    const problem = await attempt(access, settings);
    if (!(problem instanceof Error)) return problem;
    if (performance.now() + RETRY_MS >= access.deadline) {
      const reason = problem.cause instanceof Error ? problem.cause.message : problem.message;
      throw new BrokerOpenError("failed", `stream ${settings.name}: ${reason}`, { cause: problem });
    }
    await delay(RETRY_MS);
  }
}

/** The stream's info, or what may change by waiting. */
async function attempt(access: StreamAccess, settings: StreamSettings): Promise<StreamInfo | Error> {
  const found = await find(access, settings.name);
  if (!(found instanceof ApiError)) return found instanceof Error ? found : verify(access, settings, found);
  if (!access.owner) return new Error("does not exist: is a RoomService running, with the same NATS_PREFIX?");
  if ((settings.num_replicas ?? 1) === 1) return create(access, settings);
  // Processes that start together must not create it together: clusters of 2.9 may then delete it, or never answer.
  await delay(Math.random() * APART_MS);
  return (await find(access, settings.name)) instanceof ApiError ? create(access, settings) : attempt(access, settings);
}

/** The stream's info, an ApiError when there is no such stream, or another error when nobody can say. */
async function find(access: StreamAccess, name: string): Promise<StreamInfo | Error> {
  try {
    const info = await access.api.info(name);
    // Of a stream that it is still creating a server of 2.9 says the year 1, by which nobody must tell it from others.
    return Date.parse(info.created) > 0 ? info : new Error("is being created");
  } catch (error) {
    if (error instanceof ApiError && error.errCode !== API_ERROR.streamNotFound) throw refused(name, error);
    return error as Error;
  }
}

async function create(access: StreamAccess, settings: StreamSettings): Promise<StreamInfo | Error> {
  try {
    // Asked once: a cluster that is asked again may create it once more.
    await access.api.call(`STREAM.CREATE.${settings.name}`, settings, CREATE_MS);
    access.log.info({ stream: settings.name, replicas: settings.num_replicas }, "stream created");
    // The answer may be of the year 1 as well (3 of 2,400 creations by several at once).
    return await find(access, settings.name);
  } catch (error) {
    if (!(error instanceof ApiError)) return error as Error;
    // Another replica was faster, or other nodes are not up yet.
    if (error.errCode === API_ERROR.streamNameInUse || error.errCode === API_ERROR.noSuitablePeers) return error;
    const overlaps = error.errCode === API_ERROR.subjectsOverlap;
    if (overlaps && !((await find(access, settings.name)) instanceof ApiError)) return error;
    throw refused(settings.name, error);
  }
}

async function verify(access: StreamAccess, settings: StreamSettings, info: StreamInfo): Promise<StreamInfo> {
  const all = differences(settings, info.config);
  // Only who would set them needs to agree with them; to the others they are somebody else's business.
  const differing = access.owner ? all : all.filter((difference) => !difference.editable);
  if (differing.length === 0) return info;
  if (!access.owner || !access.adopt || differing.some((difference) => !difference.editable)) {
    throw mismatch(settings.name, differing);
  }
  const wanted = Object.fromEntries(differing.map(({ field }) => [field, settings[field]]));
  access.log.warn({ stream: settings.name, changes: wanted }, "stream's settings changed");
  return access.api.call<StreamInfo>(`STREAM.UPDATE.${settings.name}`, { ...info.config, ...wanted });
}

interface Difference {
  readonly field: keyof StreamConfig;
  readonly has: string;
  readonly wants: string;
  readonly editable: boolean;
}

function differences(settings: StreamSettings, config: Partial<StreamConfig>): Difference[] {
  return (Object.keys(settings) as (keyof StreamConfig)[])
    .map((field) => ({
      field,
      has: JSON.stringify(config[field] ?? false),
      wants: JSON.stringify(settings[field]),
      editable: EDITABLE.includes(field),
    }))
    .filter(({ has, wants }) => has !== wants);
}

function mismatch(name: string, differing: readonly Difference[]): BrokerOpenError {
  const list = differing.map(({ field, has, wants }) => `${field} is ${has} and should be ${wants}`).join("; ");
  const advice = differing.every(({ editable }) => editable)
    ? "start once with NATS_ADOPT=1 to change it, or configure what it has"
    : "use another NATS_PREFIX, or delete the stream and with it all history";
  return new BrokerOpenError("failed", `stream ${name} exists with other settings: ${list}. To go on, ${advice}`);
}

function refused(name: string, error: ApiError): BrokerOpenError {
  return new BrokerOpenError("failed", `NATS refuses stream ${name}: ${error.message}`, { cause: error });
}
