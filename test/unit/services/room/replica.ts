import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { onTestFinished } from "vitest";
import type { Broker } from "../../../../broker/broker.ts";
import { openBroker } from "../../../../broker/open.ts";
import { type Event, EventSchema } from "../../../../gen/baccarat/v1/event_pb.ts";
import { AuditAction } from "../../../../gen/baccarat/v1/moderation_pb.ts";
import { type Room, RoomSchema } from "../../../../gen/baccarat/v1/room_pb.ts";
import type { Service } from "../../../../services/auth.ts";
import { parseConfig } from "../../../../services/config.ts";
import { parseRoomId, parseUid, type RoomId, type Uid } from "../../../../services/ids.ts";
import { DEFAULT_LIMITS, type Limits } from "../../../../services/limits.ts";
import { createLog, type Logger } from "../../../../services/log.ts";
import { type ControlPlane, openControlPlane } from "../../../../services/room/control-plane.ts";
import type { TimedSubject } from "../../../../services/room/moderation.ts";
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
  options: { limits?: Partial<Limits>; roomCreation?: RoomCreation; now?: () => number } = {},
): Promise<ControlPlane> {
  const plane = await openControlPlane({
    broker,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    roomCreation: options.roomCreation ?? "open",
    log: quietLog(),
    ...(options.now && { now: options.now }),
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

/** An operator's service. */
export const OPS: Service = { kind: "service", name: "ops", scopes: new Set(["admin"]) };

/** Takes a user out of a room, as OPS. */
export function kick(plane: ControlPlane, id: string, name: string, reason: string): Promise<void> {
  return plane.moderating.moderation.kick(OPS, plane.rooms.access(room(id)), { uid: uid(name), reason });
}

/** What moderates in a room as OPS does, by a short name. */
export function moderator(plane: ControlPlane, id: string) {
  const { moderation } = plane.moderating;
  const access = () => plane.rooms.access(room(id));
  const timed = (name: string, ms: number | undefined, reason: string): TimedSubject => ({
    uid: uid(name),
    reason,
    expiration: ms === undefined ? { case: undefined } : { case: "duration", value: durationFromMs(ms) },
  });
  return {
    ban: (name: string, ms?: number, reason = "") => moderation.ban(OPS, access(), timed(name, ms, reason)),
    unban: (name: string, reason = "") => moderation.unban(OPS, access(), { uid: uid(name), reason }),
    mute: (name: string, ms?: number, reason = "") => moderation.mute(OPS, access(), timed(name, ms, reason)),
    unmute: (name: string, reason = "") => moderation.unmute(OPS, access(), { uid: uid(name), reason }),
    invite: (name: string, reason = "") => moderation.invite(OPS, access(), { uid: uid(name), reason }),
    uninvite: (name: string, reason = "") => moderation.uninvite(OPS, access(), { uid: uid(name), reason }),
    banned: () => moderation.listBans(room(id), { pageSize: 0, pageToken: "" }).bans.map((ban) => ban.uid),
  };
}

/** An action's name, such as KICK. */
export function actionName(action: AuditAction): string {
  return Object.entries(AuditAction).find(([, value]) => value === action)?.[0] ?? String(action);
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
