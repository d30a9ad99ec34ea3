import { randomBytes } from "node:crypto";
import { RoomError } from "../services/errors.ts";
import type { ControlStore } from "./broker.ts";
import type { JetStreamApi } from "./nats-api.ts";
import { OWN_KEYS } from "./nats-watch.ts";
import { BrokerOpenError } from "./open-error.ts";
import type { NatsNames } from "./subjects.ts";

/** Where the log's identity is stored. */
export const EPOCH_KEY = `${OWN_KEYS}epoch`;

/**
 * How far apart two times of creation may be that are the same one's, in milliseconds. When two processes create a stream
 * of a 2.9 cluster at the same time, it may get one and then the other (measured: 1 of 120).
 */
const SAME_CREATION_MS = 30_000;

/** Identity of a log. */
export interface LogIdentity {
  readonly epoch: string;
  /** When its stream was created, as the server says it. */
  readonly created: string;
}

/**
 * Reads the log's identity, and makes one when there is none yet or the stream is another one by now. Whoever is first
 * makes it; what counts is what is stored.
 * @param created when the stream was created.
 * @throws RoomError unavailable, also when there is none and `owner` is false.
 */
export async function readIdentity(options: {
  readonly control: ControlStore;
  readonly api: JetStreamApi;
  readonly names: NatsNames;
  readonly created: string;
  readonly owner: boolean;
}): Promise<LogIdentity> {
  const { control, api, names, created, owner } = options;
  for (;;) {
    const entry = await control.get(EPOCH_KEY);
    if (entry?.value) {
      const identity = parseIdentity(entry.value);
      if (isSameCreation(identity.created, created)) return identity;
    }
    if (!owner) throw new RoomError("unavailable", "the log has no epoch yet: is a RoomService running?");
    if (entry) await api.deleteMessage(names.controlStream, entry.revision, false);
    await control.create(EPOCH_KEY, newIdentity(created).value);
  }
}

/** The epoch that is stored now; undefined when there is none. @throws RoomError unavailable, BrokerOpenError failed. */
export async function storedEpoch(control: Pick<ControlStore, "get">): Promise<string | undefined> {
  const entry = await control.get(EPOCH_KEY);
  return entry?.value && parseIdentity(entry.value).epoch;
}

/** Gives a log another epoch, and returns that. @param created as for readIdentity. @throws RoomError unavailable. */
export async function replaceEpoch(control: Pick<ControlStore, "put">, created: string): Promise<string> {
  const { epoch, value } = newIdentity(created);
  await control.put(EPOCH_KEY, value);
  return epoch;
}

function newIdentity(created: string): { readonly epoch: string; readonly value: Uint8Array } {
  const identity: LogIdentity = { epoch: randomBytes(8).toString("hex"), created };
  return { epoch: identity.epoch, value: Buffer.from(JSON.stringify(identity)) };
}

function parseIdentity(value: Uint8Array): LogIdentity {
  try {
    const { epoch, created } = JSON.parse(Buffer.from(value).toString()) as Partial<LogIdentity>;
    if (epoch !== undefined && created !== undefined) return { epoch, created };
    throw new TypeError("epoch or created is missing");
  } catch (error) {
    throw new BrokerOpenError("failed", `key ${EPOCH_KEY} of the control log holds no epoch`, { cause: error });
  }
}

/** True when two times of creation, as servers say them, are of the same stream. */
export function isSameCreation(one: string, other: string): boolean {
  return Math.abs(Date.parse(one) - Date.parse(other)) <= SAME_CREATION_MS;
}
