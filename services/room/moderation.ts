import { create, fromBinary } from "@bufbuild/protobuf";
import { durationMs, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { ControlStore } from "../../broker/broker.ts";
import { BanRecordSchema, InvitationRecordSchema, MuteRecordSchema } from "../../gen/baccarat/v1/control_pb.ts";
import {
  AuditAction,
  type Ban,
  BanSchema,
  type Invitation,
  InvitationSchema,
  type Mute,
  MuteSchema,
} from "../../gen/baccarat/v1/moderation_pb.ts";
import type { BanMemberRequest } from "../../gen/baccarat/v1/room_service_pb.ts";
import { authorize, type Principal, type RoomAccess, senderUid } from "../auth.ts";
import { controlKeys } from "../control-keys.ts";
import { RoomError } from "../errors.ts";
import type { RoomId, Uid } from "../ids.ts";
import { FIXED } from "../limits.ts";
import { type Act, type Audit, checkReason } from "./audit.ts";
import type { ControlFold } from "./control-fold.ts";
import type { ControlWriter } from "./control-writer.ts";
import { eachBounded } from "./each-bounded.ts";
import { KeyedQueue } from "./keyed-queue.ts";
import type { Membership } from "./membership.ts";
import { cutPage, decodePageToken, pageSize } from "./paging.ts";
import { BANNED } from "./presence.ts";
import { requirePlain } from "./rooms.ts";
import { endOf } from "./standings.ts";

/** Whom something is about, and why. */
export interface Subject {
  readonly uid: Uid;
  /** At most 256 characters; empty for none. */
  readonly reason: string;
}

/** The same for what may end by itself. */
export interface TimedSubject extends Subject {
  /** When it ends by itself, as in BanMemberRequest. */
  readonly expiration: BanMemberRequest["expiration"];
}

/** A page of bans, in the order of their uids. */
export interface BansPage {
  readonly bans: readonly Ban[];
  readonly nextPageToken: string;
}

/** Keys deleted at once. */
const WRITES = 64;

/**
 * Kicks, bans, mutes and invitations. Every act is permitted first, then recorded, then done. All methods throw RoomError
 * permission_denied, banned or not_a_member when the principal may not, invalid_argument, and unavailable, which leaves
 * open whether it was done: doing it again is the same.
 */
export class Moderation {
  readonly #control: ControlStore;
  readonly #fold: ControlFold;
  readonly #writer: ControlWriter;
  readonly #membership: Membership;
  readonly #audit: Audit;
  readonly #now: () => number;
  /** What is decided about one user in one room happens one after the other. */
  readonly #queue = new KeyedQueue();

  constructor(options: {
    control: ControlStore;
    fold: ControlFold;
    writer: ControlWriter;
    membership: Membership;
    audit: Audit;
    now: () => number;
  }) {
    this.#control = options.control;
    this.#fold = options.fold;
    this.#writer = options.writer;
    this.#membership = options.membership;
    this.#audit = options.audit;
    this.#now = options.now;
  }

  /** Takes a user out of a room, with all connections; the user may come back. @throws RoomError not_found when not a member. */
  kick(principal: Principal, access: RoomAccess, subject: Subject): Promise<void> {
    const { uid, reason } = subject;
    return this.#act(principal, access, subject, async (by, record) => {
      if (!this.#membership.hasMember(access.room, uid)) throw notFound("the user is not in the room");
      await record(AuditAction.KICK);
      await this.#membership.evictUser(access.room, uid, { reason: reason === "" ? "kicked" : reason, by });
    });
  }

  /** Keeps a user out of a room from this place of the log on. Replaces an earlier ban. */
  ban(principal: Principal, access: RoomAccess, subject: TimedSubject): Promise<Ban> {
    const { room } = access;
    const { uid } = subject;
    return this.#act(principal, access, subject, async (by, record) => {
      const ban = create(BanSchema, this.#decision(by, room, subject));
      requireSpace(this.#fold.standings.bans(room), uid);
      await record(AuditAction.BAN, endFacts(ban));
      await this.#writer.put(controlKeys.ban(room, uid), BanRecordSchema, create(BanRecordSchema, { ban }));
      // The ban took out whoever was in; this keeps it so when it has ended, for edges that are cut off meanwhile.
      await this.#membership.evictUser(room, uid, { reason: BANNED, by });
      return ban;
    });
  }

  /** Lifts a ban. @throws RoomError not_found when there is none, or it has ended by itself. */
  unban(principal: Principal, access: RoomAccess, subject: Subject): Promise<void> {
    const key = controlKeys.ban(access.room, subject.uid);
    return this.#act(principal, access, subject, async (_by, record) => {
      const value = await this.#stored(key);
      const ban = value && fromBinary(BanRecordSchema, value).ban;
      if (endOf(ban) <= this.#now()) throw notFound("the user is not banned");
      await record(AuditAction.UNBAN);
      await this.#writer.delete(key);
    });
  }

  /** Bans that hold now. @throws RoomError invalid_argument. */
  listBans(room: RoomId, asked: { pageSize: number; pageToken: string }): BansPage {
    requirePlain(room);
    const scope = ["bans", room];
    const from = decodePageToken(scope, asked.pageToken) ?? "";
    const size = pageSize(asked.pageSize, FIXED.pageDefault, FIXED.pageSize);
    const { items, nextPageToken } = cutPage(this.#holding(room, from), size, scope);
    return { bans: items, nextPageToken };
  }

  /** Keeps a user from writing in a room. Replaces an earlier mute. */
  mute(principal: Principal, access: RoomAccess, subject: TimedSubject): Promise<Mute> {
    const { room } = access;
    const { uid } = subject;
    return this.#act(principal, access, subject, async (by, record) => {
      const mute = create(MuteSchema, this.#decision(by, room, subject));
      requireSpace(this.#fold.standings.mutes(room), uid);
      await record(AuditAction.MUTE, endFacts(mute));
      await this.#writer.put(controlKeys.mute(room, uid), MuteRecordSchema, create(MuteRecordSchema, { mute }));
      return mute;
    });
  }

  /** Lifts a mute. @throws RoomError not_found when there is none, or it has ended by itself. */
  unmute(principal: Principal, access: RoomAccess, subject: Subject): Promise<void> {
    const { uid, reason } = subject;
    const key = controlKeys.mute(access.room, uid);
    return this.#act(principal, access, subject, async (by, record) => {
      const value = await this.#stored(key);
      const { mute, lifted } = value ? fromBinary(MuteRecordSchema, value) : { mute: undefined, lifted: undefined };
      if (lifted !== undefined || endOf(mute) <= this.#now()) throw notFound("the user is not muted");
      await record(AuditAction.UNMUTE);
      await this.#writer.put(key, MuteRecordSchema, create(MuteRecordSchema, { lifted: { by, reason } }));
    });
  }

  /** Lets a user into a room like a token's pattern that names it. */
  invite(principal: Principal, access: RoomAccess, subject: Subject): Promise<Invitation> {
    const { room } = access;
    const { uid } = subject;
    return this.#act(principal, access, subject, async (by, record) => {
      requireSpace(this.#fold.standings.invitations(room), uid);
      const createTime = timestampFromMs(this.#now());
      const invitation = create(InvitationSchema, { roomId: room, uid, by, createTime });
      await record(AuditAction.INVITE);
      const value = create(InvitationRecordSchema, { invitation });
      await this.#writer.put(controlKeys.invite(room, uid), InvitationRecordSchema, value);
      return invitation;
    });
  }

  /** Takes an invitation back; a member stays one. @throws RoomError not_found. */
  uninvite(principal: Principal, access: RoomAccess, subject: Subject): Promise<void> {
    const key = controlKeys.invite(access.room, subject.uid);
    return this.#act(principal, access, subject, async (_by, record) => {
      if ((await this.#stored(key)) === undefined) throw notFound("the user is not invited");
      await record(AuditAction.UNINVITE);
      await this.#writer.delete(key);
    });
  }

  /** Forgets everything that was decided in a room. @throws RoomError unavailable. */
  async forget(room: RoomId): Promise<void> {
    const { standings } = this.#fold;
    const keys = [
      ...[...standings.bans(room).from("")].map(([uid]) => controlKeys.ban(room, uid as Uid)),
      ...[...standings.mutes(room).keys()].map((uid) => controlKeys.mute(room, uid)),
      ...[...standings.invitations(room).keys()].map((uid) => controlKeys.invite(room, uid)),
    ];
    await eachBounded(keys, WRITES, (key) => this.#writer.delete(key));
  }

  async #act<T>(
    principal: Principal,
    { room, ...known }: RoomAccess,
    { uid, reason }: Subject,
    act: (by: string, record: (action: AuditAction, facts?: Act["facts"]) => Promise<void>) => Promise<T>,
  ): Promise<T> {
    authorize(principal, "moderate", { room, ...known }, this.#now());
    requirePlain(room);
    checkReason(reason);
    const actor = senderUid(principal);
    const record = (action: AuditAction, facts: Act["facts"] = {}): Promise<void> =>
      this.#audit.record({ action, actor, uid, room, reason, facts });
    return this.#queue.run(`${room} ${uid}`, () => act(actor, record));
  }

  #decision(by: string, roomId: RoomId, { uid, reason, expiration }: TimedSubject) {
    const now = this.#now();
    const decision = { roomId, uid, reason, by, createTime: timestampFromMs(now) };
    if (expiration.case === undefined) return decision;
    const { case: field, value } = expiration;
    const endsAt = field === "duration" ? now + durationMs(value) : timestampMs(value);
    if (endsAt > now && endsAt <= now + FIXED.sanctionMs) return { ...decision, expireTime: timestampFromMs(endsAt) };
    throw new RoomError("invalid_argument", "it must end in the future, and within ten years", {
      metadata: { field: field === "duration" ? "duration" : "expire_time" },
    });
  }

  *#holding(room: RoomId, from: string): Generator<readonly [string, Ban]> {
    const now = this.#now();
    for (const [uid, ban] of this.#fold.standings.bans(room).from(from)) if (endOf(ban) > now) yield [uid, ban];
  }

  /** Not the fold: another replica may have acknowledged a decision that has not come here yet. */
  async #stored(key: string): Promise<Uint8Array | undefined> {
    return (await this.#control.get(key))?.value;
  }
}

/** @throws RoomError invalid_argument when nobody more fits. */
function requireSpace(decided: { readonly size: number; has(uid: Uid): boolean }, uid: Uid): void {
  if (decided.size < FIXED.sanctionsPerRoom || decided.has(uid)) return;
  throw new RoomError("invalid_argument", `a room has at most ${FIXED.sanctionsPerRoom} of these: lift some first`);
}

function endFacts(decision: Ban | Mute): Record<string, string> {
  return decision.expireTime === undefined ? {} : { expire_time: new Date(endOf(decision)).toISOString() };
}

function notFound(what: string): RoomError {
  return new RoomError("not_found", what);
}
