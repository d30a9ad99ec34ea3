import type { Message } from "@bufbuild/protobuf";
import { fromBinary, isMessage } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import type { ControlEntry, ControlStore, Unsubscribe } from "../../broker/broker.ts";
import { EdgeTrafficSchema } from "../../gen/baccarat/v1/admin_service_pb.ts";
import type { Profile } from "../../gen/baccarat/v1/client_pb.ts";
import {
  AuditRecordSchema,
  BanRecordSchema,
  BlockRecordSchema,
  ClientEntrySchema,
  CursorRecordSchema,
  EdgeDrainSchema,
  EdgeFenceSchema,
  EdgeLeaseSchema,
  InvitationRecordSchema,
  MemberEntrySchema,
  MuteRecordSchema,
  NoticeRecordSchema,
  RevocationRecordSchema,
  RoomRecordSchema,
  SnapshotRecordSchema,
  type UserRecord,
  UserRecordSchema,
} from "../../gen/baccarat/v1/control_pb.ts";
import { type ControlKey, parseControlKey } from "../control-keys.ts";
import { RoomError } from "../errors.ts";
import type { RoomId, Uid } from "../ids.ts";
import { FIXED, type Limits } from "../limits.ts";
import type { Logger } from "../log.ts";
import { AuditTrail } from "./audit-trail.ts";
import { BlockList } from "./block-list.ts";
import { Connections } from "./connections.ts";
import type { Change, ChangeListener, FoldedEntry, FoldedRoom } from "./folded.ts";
import { Presence } from "./presence.ts";
import { RevisionWaiters } from "./revision-waiters.ts";
import { RevokedTokens } from "./revoked-tokens.ts";
import { Standings } from "./standings.ts";

/** Profiles kept in memory; who is not among the latest is looked up in the store. */
const MAX_USERS = 200_000;

/**
 * The control log, folded into memory: every replica hears the same changes in the same order and comes to the same
 * rooms, members, connections and leases, without asking the store. Nothing here is ever written by hand: what a command
 * changes is put into the log and takes effect when it comes back.
 */
export class ControlFold {
  readonly connections: Connections;
  readonly presence: Presence;
  readonly blocks = new BlockList();
  readonly standings: Standings;
  readonly audit = new AuditTrail();
  readonly revoked = new RevokedTokens();
  readonly #control: ControlStore;
  readonly #log: Logger;
  readonly #listeners = new Set<ChangeListener>();
  readonly #waiters = new RevisionWaiters();
  readonly #users = new Map<Uid, Profile | undefined>();
  /** What is about to be written here, by its bytes. */
  readonly #expected = new WeakMap<Uint8Array, Message>();
  readonly #caughtUp = Promise.withResolvers<void>();
  #unsubscribe: Unsubscribe | undefined;
  #closed = false;
  #revision = 0;
  #healthy = false;
  #reading = true;

  constructor(options: { control: ControlStore; limits: Limits; log: Logger }) {
    this.#control = options.control;
    this.#log = options.log;
    const emit = (change: Change): void => this.#emit(change);
    this.connections = new Connections({ emit });
    this.standings = new Standings({ emit });
    this.presence = new Presence({
      connections: this.connections,
      standings: this.standings,
      maxMembersPerRoom: options.limits.maxMembersPerRoom,
      emit,
    });
  }

  /** Begins to follow the log; resolves when everything written before was folded. @throws RoomError unavailable. */
  async start(): Promise<void> {
    this.#unsubscribe = await this.#control.watch({
      onEntry: (entry) => this.#fold(entry),
      onCaughtUp: () => {
        this.#reading = false;
        this.#setHealthy(true);
        this.#caughtUp.resolve();
      },
      onInterrupted: () => this.#setHealthy(false),
    });
    if (this.#closed) this.#unsubscribe();
    await this.#caughtUp.promise;
    if (this.#closed) throw notFollowing();
  }

  /** Stops following; whoever waits hears unavailable. */
  close(): void {
    this.#closed = true;
    this.#unsubscribe?.();
    this.#waiters.fail(notFollowing());
    this.#caughtUp.resolve();
    this.#listeners.clear();
  }

  /** False while changes may come late. */
  get healthy(): boolean {
    return this.#healthy;
  }

  /** Hears every change from now on. */
  onChange(listener: ChangeListener): Unsubscribe {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Resolves once everything up to this place of the log was folded.
   * @throws RoomError unavailable after FIXED.requestMs.
   */
  async reached(revision: number): Promise<void> {
    if (this.#revision >= revision) return;
    if (this.#closed) throw notFollowing();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(notFollowing()), FIXED.requestMs);
    this.#waiters.add({ revision, resolve, reject });
    try {
      await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Tells what bytes say that are about to be written: an engine in this process gives the same bytes back. */
  expect(bytes: Uint8Array, message: Message): void {
    this.#expected.set(bytes, message);
  }

  room(id: RoomId): FoldedRoom | undefined {
    return this.presence.room(id);
  }

  /** This connection's entry in a room, whether it counts or not. */
  entry(room: RoomId, clientId: string): FoldedEntry | undefined {
    return this.presence.room(room)?.entries.get(clientId);
  }

  /** True when the user is known to have existed; false says nothing. */
  knowsUser(uid: Uid): boolean {
    return this.#users.has(uid);
  }

  /** A user's profile when the user was first seen; undefined when it is not in memory. */
  profile(uid: Uid): Profile | undefined {
    return this.#users.get(uid);
  }

  #setHealthy(healthy: boolean): void {
    this.#healthy = healthy;
    this.#emit({ kind: healthy ? "caught_up" : "interrupted" });
  }

  #emit(change: Change): void {
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        // What one listener gets wrong must not leave the fold half way through an entry.
        this.#log.error({ err: error, change: change.kind }, "a change was not handled");
      }
    }
  }

  #fold(entry: ControlEntry): void {
    // After an interruption the engine may begin again with what was heard before.
    if (entry.revision <= this.#revision) return;
    this.#revision = entry.revision;
    const key = parseControlKey(entry.key);
    if (key !== undefined) this.#apply(key, entry);
    this.#waiters.advance(entry.revision);
  }

  #apply(key: ControlKey, entry: ControlEntry): void {
    switch (key.kind) {
      case "room":
        this.presence.putRoom(key.room, this.#read(RoomRecordSchema, entry));
        break;
      case "entry": {
        const value = this.#read(MemberEntrySchema, entry);
        if (value === undefined) this.presence.deleteEntry(key, entry.reason ?? "left");
        else this.presence.putEntry(key, value, entry.revision, this.#reading);
        break;
      }
      case "client": {
        const value = this.#read(ClientEntrySchema, entry);
        if (value === undefined) this.connections.deleteClient(key.incarnation, key.clientId);
        else this.connections.putClient(key.incarnation, key.clientId, value, entry.revision);
        break;
      }
      case "lease":
        this.connections.putLease(key.incarnation, this.#read(EdgeLeaseSchema, entry), entry.revision);
        break;
      case "traffic":
        this.connections.putTraffic(key.incarnation, this.#read(EdgeTrafficSchema, entry));
        break;
      case "fence": {
        const fence = this.#read(EdgeFenceSchema, entry);
        this.connections.putFence(key.incarnation, fence);
        if (fence !== undefined) this.presence.fence(key.incarnation);
        break;
      }
      case "drain":
        this.connections.putDrain(key.incarnation, this.#read(EdgeDrainSchema, entry));
        break;
      case "attachment":
        this.connections.putAttachment(key.incarnation, entry.value === undefined ? 0 : entry.revision);
        break;
      case "user":
        this.#putUser(key.uid, this.#read(UserRecordSchema, entry));
        break;
      case "cursor": {
        const cursor = this.#read(CursorRecordSchema, entry);
        if (cursor?.ended) this.connections.endCursor(cursor.clientId);
        break;
      }
      case "block": {
        const blocked = this.#read(BlockRecordSchema, entry) !== undefined;
        this.blocks.put(key.uid, key.other, blocked);
        this.#emit({ kind: "block", uid: key.uid, other: key.other, blocked });
        break;
      }
      case "ban":
        this.standings.putBan(key.room, key.uid, this.#read(BanRecordSchema, entry), entry.revision);
        this.presence.banned(key.room, key.uid);
        break;
      case "mute":
        this.standings.putMute(key.room, key.uid, this.#read(MuteRecordSchema, entry), entry.revision);
        break;
      case "invite":
        this.standings.putInvitation(key.room, key.uid, this.#read(InvitationRecordSchema, entry));
        break;
      case "snapshot": {
        const record = this.#read(SnapshotRecordSchema, entry);
        this.#emit({ kind: "snapshot", room: key.room, key: key.key, record });
        break;
      }
      case "audit":
        this.audit.put(key.id, this.#read(AuditRecordSchema, entry), entry.revision);
        break;
      case "revoked": {
        const revocation = this.revoked.put(key.subject, this.#read(RevocationRecordSchema, entry));
        if (revocation !== undefined) this.#emit({ kind: "revoked", revocation });
        break;
      }
      case "notice": {
        const notice = this.#read(NoticeRecordSchema, entry);
        if (notice !== undefined) this.#emit({ kind: "notice", notice });
      }
    }
  }

  #putUser(uid: Uid, record: UserRecord | undefined): void {
    this.#users.delete(uid);
    if (record === undefined) return;
    this.#users.set(uid, record.profile);
    if (this.#users.size > MAX_USERS) this.#users.delete(this.#users.keys().next().value as Uid);
    this.#emit({ kind: "user", uid });
  }

  /** A value that cannot be read counts as deleted, at every replica alike. */
  #read<M extends Message>(schema: GenMessage<M>, entry: ControlEntry): M | undefined {
    if (entry.value === undefined) return undefined;
    const expected = this.#expected.get(entry.value);
    if (isMessage(expected, schema)) return expected;
    try {
      return fromBinary(schema, entry.value);
    } catch (error) {
      this.#log.error({ err: error, key: entry.key, revision: entry.revision }, "unreadable value in the control log");
      return undefined;
    }
  }
}

function notFollowing(): RoomError {
  return new RoomError("unavailable", "the control log does not come through");
}
