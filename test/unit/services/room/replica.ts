import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { onTestFinished } from "vitest";
import type { Broker } from "../../../../broker/broker.ts";
import { openBroker } from "../../../../broker/open.ts";
import { type Event, EventSchema } from "../../../../gen/baccarat/v1/event_pb.ts";
import { type Room, RoomSchema } from "../../../../gen/baccarat/v1/room_pb.ts";
import { parseConfig } from "../../../../services/config.ts";
import { parseRoomId, parseUid, type RoomId, type Uid } from "../../../../services/ids.ts";
import { DEFAULT_LIMITS, type Limits } from "../../../../services/limits.ts";
import { createLog, type Logger } from "../../../../services/log.ts";
import { type ControlPlane, openControlPlane } from "../../../../services/room/control-plane.ts";
import type { RoomCreation } from "../../../../services/room/rooms.ts";

/** A log that only shows what must not happen. */
export function quietLog(): Logger {
  return createLog({ level: "error" });
}

/** The embedded broker on a directory of its own, closed and removed after the test. */
export async function openTestBroker(options: { maxMessages?: number } = {}): Promise<Broker> {
  const dataDir = await mkdtemp(join(tmpdir(), "baccarat-room-"));
  const env = { DATA_DIR: dataDir, HISTORY_MAX_MESSAGES: String(options.maxMessages ?? 1_000) };
  const parsed = parseConfig(env);
  if (!parsed.ok) throw new Error(parsed.mistakes.join("; "));
  const broker = await openBroker({ config: parsed.config, log: quietLog() });
  onTestFinished(async () => {
    await broker.close();
    await rm(dataDir, { recursive: true });
  });
  return broker;
}

/** A replica of the control plane, closed after the test. */
export async function openReplica(
  broker: Broker,
  options: { limits?: Partial<Limits>; roomCreation?: RoomCreation } = {},
): Promise<ControlPlane> {
  const plane = await openControlPlane({
    broker,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    roomCreation: options.roomCreation ?? "open",
    log: quietLog(),
  });
  onTestFinished(() => plane.close());
  return plane;
}

export function room(id: string): RoomId {
  const parsed = parseRoomId(id);
  if (parsed === undefined) throw new Error(`${id} is no room id`);
  return parsed;
}

export function uid(id: string): Uid {
  const parsed = parseUid(id);
  if (parsed === undefined) throw new Error(`${id} is no uid`);
  return parsed;
}

/** Settings as a request carries them. */
export function roomOf(settings: MessageInitShape<typeof RoomSchema>): Room {
  return create(RoomSchema, settings);
}

/** Uids of a room's members, as a replica sees them. */
export function members(plane: ControlPlane, id: string): string[] {
  return [...plane.membership.page(room(id), { pageSize: 1_000, pageToken: "" }).members].map((member) => member.uid);
}

/** Stores messages in a room; returns their positions. */
export async function store(broker: Broker, id: string, texts: readonly string[], from = "writer"): Promise<number[]> {
  const lane = {};
  const published = texts.map((text) => broker.publish(room(id), message(id, text, from), { lane }));
  return (await Promise.all(published)).map(({ seq }) => seq);
}

function message(roomId: string, text: string, from: string): Event {
  return create(EventSchema, { roomId, body: { case: "message", value: { uid: from, message: text } } });
}
