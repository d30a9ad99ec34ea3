import { RoomError } from "./errors.ts";
import { directUsers, matchesPattern, type RoomId, type Uid } from "./ids.ts";

/** What an RPC token may do. `admin` includes read and publish. */
export type Scope = "read" | "publish" | "admin" | "edge";
export const SCOPES: readonly Scope[] = ["read", "publish", "admin", "edge"];

/** A client's user: a guest, or whoever a token named. */
export interface User {
  readonly kind: "user";
  readonly uid: Uid;
  readonly username: string;
  readonly avatarId: string;
  readonly guest: boolean;
  /** `moderator`, `moderator:<pattern>`, `admin`. */
  readonly roles: readonly string[];
  /** Patterns of rooms the token allows; undefined when it does not say, which means every room that is not private. */
  readonly rooms: readonly string[] | undefined;
}

/** Another service, known by an RPC token. */
export interface Service {
  readonly kind: "service";
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
}

/** Whoever asks for something. */
export type Principal = User | Service;

/** What can be asked for in a room. `stay`: a membership that was granted goes on, after the user's rights may have changed. */
export type Action = "join" | "stay" | "read" | "publish" | "delete_own" | "delete_any" | "moderate" | "administer";

/** What is known of the room, and of the principal in it, when the question is asked. */
export interface RoomAccess {
  readonly room: RoomId;
  readonly private?: boolean;
  readonly frozen?: boolean;
  /** The principal is in the room now. */
  readonly member?: boolean;
  /** Infinity: until it is lifted. */
  readonly bannedUntilMs?: number;
  /** Infinity: until it is lifted. */
  readonly mutedUntilMs?: number;
  /** The principal is invited, which is as good as a pattern that names the room. */
  readonly invited?: boolean;
}

/** The one permission check, for frames and RPCs alike. @throws RoomError with the reason why not. */
export function authorize(principal: Principal, action: Action, access: RoomAccess, nowMs: number = Date.now()): void {
  if (principal.kind === "service") {
    requireScope(principal, action === "read" || action === "publish" ? action : "admin");
    return;
  }
  const direct = directUsers(access.room);
  if (direct) {
    authorizeDirect(principal, action, direct);
    return;
  }
  if (action === "administer") throw new RoomError("permission_denied", "only services administer rooms");
  const moderator = isModerator(principal, access.room);
  const { bannedUntilMs = 0, mutedUntilMs = 0 } = access;
  if (bannedUntilMs > nowMs) throw new RoomError("banned", "you are banned from this room", wait(bannedUntilMs, nowMs));
  if (action === "join" || action === "stay") {
    // Who was let in before the room was made private stays.
    const hidden = action === "join" && access.private === true;
    if (!mayEnter(principal, access, moderator, hidden)) {
      throw new RoomError("permission_denied", "you may not join this room");
    }
    return;
  }
  if ((action === "moderate" || action === "delete_any") && !moderator) {
    throw new RoomError("permission_denied", "only moderators may do this");
  }
  if (!access.member) throw new RoomError("not_a_member", "join the room first");
  if (action !== "publish" || moderator) return;
  if (mutedUntilMs > nowMs) throw new RoomError("muted", "you are muted in this room", wait(mutedUntilMs, nowMs));
  if (access.frozen) throw new RoomError("permission_denied", "the room is frozen");
}

/** True when the user's roles make it a moderator of the room. */
export function isModerator(user: User, room: RoomId): boolean {
  return user.roles.some((role) => {
    if (role === "admin" || role === "moderator") return true;
    return role.startsWith("moderator:") && matchesPattern(role.slice("moderator:".length), room);
  });
}

/** The sender's name in the log: a user's uid, or `service:<token name>`, which no user can be called. */
export function senderUid(principal: Principal): string {
  return principal.kind === "service" ? `service:${principal.name}` : principal.uid;
}

/** @throws RoomError permission_denied unless the service has the scope, or `admin` where that includes it. */
export function requireScope(service: Service, scope: Scope): void {
  if (service.scopes.has(scope) || (scope !== "edge" && service.scopes.has("admin"))) return;
  throw new RoomError("permission_denied", `the token lacks scope ${scope}`, { metadata: { scope } });
}

const DIRECT_ACTIONS: ReadonlySet<Action> = new Set(["join", "stay", "read", "publish", "delete_own"]);

function authorizeDirect(user: User, action: Action, users: readonly [Uid, Uid]): void {
  const participant = users.includes(user.uid);
  if (participant && DIRECT_ACTIONS.has(action)) return;
  throw new RoomError("permission_denied", "only its two users may use a direct conversation");
}

function mayEnter(user: User, access: RoomAccess, moderator: boolean, hidden: boolean): boolean {
  if (moderator || access.invited) return true;
  const named = user.rooms?.some((pattern) => matchesPattern(pattern, access.room));
  return hidden ? named === true : named !== false;
}

function wait(untilMs: number, nowMs: number): { retryAfterMs: number } {
  return { retryAfterMs: Number.isFinite(untilMs) ? untilMs - nowMs : 0 };
}
