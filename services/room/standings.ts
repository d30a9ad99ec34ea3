import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { BanRecord, InvitationRecord, MuteRecord } from "../../gen/baccarat/v1/control_pb.ts";
import type { Ban, Invitation, Mute } from "../../gen/baccarat/v1/moderation_pb.ts";
import type { RoomId, Uid } from "../ids.ts";
import type { ChangeListener } from "./folded.ts";
import { OrderedMap } from "./ordered-map.ts";

/** A decision that ended by itself, and where it is stored. */
export interface ExpiredStanding {
  readonly kind: "ban" | "mute";
  readonly room: RoomId;
  readonly uid: Uid;
  /** Place in the control log of what ended. */
  readonly revision: number;
}

interface RoomStandings {
  readonly bans: OrderedMap<Ban>;
  readonly mutes: Map<Uid, Mute>;
  readonly invitations: Map<Uid, Invitation>;
}

/**
 * The part of the fold that knows who is banned, muted or invited where. It has no clock: what ends by itself stays here
 * until it is deleted from the log, and whoever uses it compares times.
 */
export class Standings {
  readonly #rooms = new Map<RoomId, RoomStandings>();
  /** Decisions that end by themselves, so that looking for those that did need not walk all others. */
  readonly #timed = new Map<string, ExpiredStanding & { readonly endsAt: number }>();
  readonly #emit: ChangeListener;

  constructor(options: { emit: ChangeListener }) {
    this.#emit = options.emit;
  }

  /** Bans of a room, by uid. */
  bans(room: RoomId): OrderedMap<Ban> {
    return this.#rooms.get(room)?.bans ?? NONE.bans;
  }

  /** Mutes of a room, by uid. */
  mutes(room: RoomId): ReadonlyMap<Uid, Mute> {
    return this.#rooms.get(room)?.mutes ?? NONE.mutes;
  }

  /** Invitations to a room, by uid. */
  invitations(room: RoomId): ReadonlyMap<Uid, Invitation> {
    return this.#rooms.get(room)?.invitations ?? NONE.invitations;
  }

  putBan(room: RoomId, uid: Uid, record: BanRecord | undefined, revision: number): void {
    const ban = record?.ban;
    if (ban === undefined) this.bans(room).delete(uid);
    else this.#open(room).bans.set(uid, ban);
    this.#note({ kind: "ban", room, uid, revision }, record && endOf(ban));
  }

  putMute(room: RoomId, uid: Uid, record: MuteRecord | undefined, revision: number): void {
    const before = this.mutes(room).has(uid);
    const mute = record?.lifted === undefined ? record?.mute : undefined;
    if (mute !== undefined) this.#open(room).mutes.set(uid, mute);
    else this.#rooms.get(room)?.mutes.delete(uid);
    // What was lifted is as good as ended: its key is deleted by whoever lifted it, or later by anyone.
    this.#note({ kind: "mute", room, uid, revision }, record && endOf(mute));
    if (mute === undefined && !before) return;
    const { by, reason } = mute ?? record?.lifted ?? { by: "", reason: "" };
    this.#emit({ kind: "mute", room, uid, mute, by, reason });
  }

  putInvitation(room: RoomId, uid: Uid, record: InvitationRecord | undefined): void {
    const invitation = record?.invitation;
    if (invitation !== undefined) this.#open(room).invitations.set(uid, invitation);
    else this.#rooms.get(room)?.invitations.delete(uid);
    this.#settle(room);
  }

  /** What ended by itself before a time, in milliseconds since 1970. */
  *expired(before: number): Generator<ExpiredStanding> {
    for (const timed of this.#timed.values()) if (timed.endsAt < before) yield timed;
  }

  #open(room: RoomId): RoomStandings {
    const known = this.#rooms.get(room);
    if (known !== undefined) return known;
    const opened: RoomStandings = { bans: new OrderedMap(), mutes: new Map(), invitations: new Map() };
    this.#rooms.set(room, opened);
    return opened;
  }

  #note(standing: ExpiredStanding, endsAt: number | undefined): void {
    const key = `${standing.kind} ${standing.room} ${standing.uid}`;
    this.#timed.delete(key);
    if (endsAt !== undefined && Number.isFinite(endsAt)) this.#timed.set(key, { ...standing, endsAt });
    this.#settle(standing.room);
  }

  /** Forgets a room of which nothing is left. */
  #settle(room: RoomId): void {
    const left = this.#rooms.get(room);
    if (left && left.bans.size + left.mutes.size + left.invitations.size === 0) this.#rooms.delete(room);
  }
}

/** When a ban or mute ends, in milliseconds since 1970: Infinity when it does not by itself, 0 when there is none. */
export function endOf(decision: Ban | Mute | undefined): number {
  if (decision === undefined) return 0;
  return decision.expireTime === undefined ? Number.POSITIVE_INFINITY : timestampMs(decision.expireTime);
}

/** Of rooms of which nothing is stored. Never changed: deleting from it does nothing. */
const NONE: RoomStandings = { bans: new OrderedMap(), mutes: new Map(), invitations: new Map() };
