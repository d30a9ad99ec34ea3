import type {
  Disconnected,
  Evicted,
  MemberEntered,
  MemberExited,
  Notice,
  RoomPolicy,
  RoomSnapshot,
} from "../gen/baccarat/v1/edge_service_pb.ts";
import type { RoomId } from "../services/ids.ts";
import { CLOSE_CODES } from "./close-codes.ts";
import type { Connection } from "./connection.ts";
import type { Conversations } from "./conversations.ts";
import { encodeNotice, textFrame } from "./frame-encoders.ts";
import type { HostedRoom } from "./hosted-room.ts";
import type { Hub } from "./hub.ts";
import type { Update } from "./room-link.ts";
import type { Roster } from "./roster.ts";

/** What updates act upon. */
export interface UpdateTargets {
  readonly hub: Hub;
  readonly roster: Roster;
  readonly conversations: Conversations;
  readonly connections: ReadonlyMap<string, Connection>;
  /** Hears the epoch of the log the control plane serves. */
  readonly onAttached: (epoch: string) => void;
  /** This incarnation was given up. */
  readonly onFenced: () => void;
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
    case "notice":
      notify(targets, update.value);
      break;
    case "fenced":
      targets.onFenced();
      break;
    case "roomSnapshot":
      resync(targets, update.value);
      break;
    case "digest":
      targets.hub.digest(update.value.heads);
      targets.conversations.digest(update.value.heads);
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
function evict({ connections, roster }: UpdateTargets, { clientId, roomId, reason, by }: Evicted): void {
  connections.get(clientId)?.evict(roomId as RoomId, reason, by);
  roster.left(clientId, roomId as RoomId, reason);
}

/** A client in its grace has no connection, but memberships to end; unless it was replaced, which is what grace is for. */
function disconnect({ connections, roster }: UpdateTargets, { clientId, closeCode, reason }: Disconnected): void {
  connections.get(clientId)?.closeWith(closeCode, reason);
  if (closeCode !== CLOSE_CODES.replaced.code) roster.forget(clientId);
}

function setPolicy({ hub }: UpdateTargets, { roomId, frozen, slowModeMs }: RoomPolicy): void {
  const room = hub.get(roomId as RoomId);
  if (room) room.policy = { frozen, slowModeMs };
}

function notify({ connections }: UpdateTargets, { message, sent }: Notice): void {
  const frame = textFrame(encodeNotice(message, sent));
  for (const connection of connections.values()) connection.outbox.push(frame);
}

function resync(targets: UpdateTargets, { policy, count, members }: RoomSnapshot): void {
  if (policy === undefined) return;
  setPolicy(targets, policy);
  memberRoom(targets, policy.roomId)?.presence.resync(count, members);
}
