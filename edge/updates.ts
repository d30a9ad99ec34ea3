import type {
  Disconnected,
  Evicted,
  MemberEntered,
  MemberExited,
  MemberPolicy,
  Notice,
  Revoked,
  RoomChanged,
  RoomPolicy,
  RoomSnapshot,
} from "../gen/baccarat/v1/edge_service_pb.ts";
import type { RoomId } from "../services/ids.ts";
import type { Logger } from "../services/log.ts";
import { CLOSE_CODES } from "./close-codes.ts";
import type { Connection } from "./connection.ts";
import type { Direct } from "./direct.ts";
import { encodeNotice, textFrame } from "./frame-encoders.ts";
import type { HostedRoom } from "./hosted-room.ts";
import type { Hub } from "./hub.ts";
import { mutedUntilMs } from "./member.ts";
import { encodeMemberPolicy, encodeRoomUpdated } from "./moderation-frames.ts";
import type { Revocations } from "./revocations.ts";
import type { Update } from "./room-link.ts";
import { policyOf } from "./room-policy.ts";
import type { Roster } from "./roster.ts";

/** What updates act upon. */
export interface UpdateTargets {
  readonly hub: Hub;
  readonly roster: Roster<Connection>;
  readonly direct: Direct;
  readonly revocations: Revocations;
  readonly connections: ReadonlyMap<string, Connection>;
  readonly log: Logger;
  /** Hears the epoch of the log the control plane serves. */
  readonly onAttached: (epoch: string) => void;
  /** This incarnation was given up. */
  readonly onFenced: () => void;
  /** An operator sends this edge's clients elsewhere. */
  readonly onDrain: () => void;
}

/** Carries out what the control plane tells an edge. */
export function applyUpdate(targets: UpdateTargets, update: Update): void {
  switch (update.case) {
    case "attached":
      targets.onAttached(update.value.epoch);
      break;
    case "memberEntered":
      enter(targets, update.value);
      break;
    case "memberExited":
      exit(targets, update.value);
      break;
    case "evicted":
      evict(targets, update.value);
      break;
    case "disconnected":
      disconnect(targets, update.value);
      break;
    case "roomPolicy":
      setPolicy(targets, update.value);
      break;
    case "memberPolicy":
      setMemberPolicy(targets, update.value);
      break;
    case "roomChanged":
      tellSettings(targets, update.value);
      break;
    case "notice":
      notify(targets, update.value);
      break;
    case "revoked":
      revoke(targets, update.value);
      break;
    case "fenced":
      targets.onFenced();
      break;
    case "drain":
      targets.onDrain();
      break;
    case "roomSnapshot":
      resync(targets, update.value);
      break;
    case "digest":
      targets.hub.digest(update.value.heads);
      targets.direct.conversations.digest(update.value);
      break;
    case "blockChanged":
      targets.direct.onBlock(update.value);
  }
}

/** A room that somebody here is in: of others, nobody here was told anything that could change. */
function memberRoom({ hub }: UpdateTargets, roomId: string): HostedRoom | undefined {
  const room = hub.get(roomId as RoomId);
  return room !== undefined && room.size > 0 ? room : undefined;
}

function enter(targets: UpdateTargets, { roomId, member, count }: MemberEntered): void {
  if (member) memberRoom(targets, roomId)?.presence.entered(member, count);
}

function exit(targets: UpdateTargets, { roomId, member, count, reason }: MemberExited): void {
  if (member) memberRoom(targets, roomId)?.presence.exited(member, count, reason);
}

/** The leave is the answer by which the control plane knows that it was done. */
function evict({ connections, roster, log }: UpdateTargets, { clientId, roomId, reason, by }: Evicted): void {
  connections.get(clientId)?.evict(roomId as RoomId, reason, by);
  log.info({ client: clientId, room: roomId, reason }, "room left");
  roster.left(clientId, roomId as RoomId, reason);
}

/** A client in its grace has no connection, but memberships to end; unless it was replaced, which is what grace is for. */
function disconnect({ connections, roster }: UpdateTargets, { clientId, closeCode, reason }: Disconnected): void {
  connections.get(clientId)?.closeWith(closeCode, reason);
  if (closeCode !== CLOSE_CODES.replaced.code) roster.forget(clientId);
}

function revoke({ connections, revocations }: UpdateTargets, { revocations: told, begins }: Revoked): void {
  revocations.add(told, begins);
  for (const connection of connections.values()) {
    const { user, proof } = connection.identified ?? {};
    if (user && proof && revocations.has(user.uid, proof)) connection.close("unauthenticated");
  }
}

function setPolicy({ hub }: UpdateTargets, policy: RoomPolicy): void {
  const room = hub.get(policy.roomId as RoomId);
  if (room) room.policy = policyOf(policy);
}

/** Without a decision behind it, members need not be told: a mute was only cleared away. */
function setMemberPolicy(targets: UpdateTargets, policy: MemberPolicy): void {
  const room = memberRoom(targets, policy.roomId);
  room?.setMuted(policy.uid, mutedUntilMs(policy));
  if (policy.by !== "") room?.push(encodeMemberPolicy(policy), 0);
}

function tellSettings(targets: UpdateTargets, { room: settings }: RoomChanged): void {
  if (settings) memberRoom(targets, settings.roomId)?.push(encodeRoomUpdated(settings), 0);
}

function notify({ connections }: UpdateTargets, { message, sent }: Notice): void {
  const frame = textFrame(encodeNotice(message, sent));
  for (const connection of connections.values()) connection.outbox.push(frame);
}

function resync(targets: UpdateTargets, { policy, count, members, muted }: RoomSnapshot): void {
  if (policy === undefined) return;
  setPolicy(targets, policy);
  const room = memberRoom(targets, policy.roomId);
  room?.presence.resync(count, members);
  // The replica before may have been of a version that knew of no snapshots.
  room?.snapshot.forget();
  room?.setAllMuted(new Map(muted.map((one) => [one.uid, mutedUntilMs(one)])));
}
