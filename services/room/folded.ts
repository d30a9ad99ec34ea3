import type { EdgeTraffic } from "../../gen/baccarat/v1/admin_service_pb.ts";
import type { Member } from "../../gen/baccarat/v1/client_pb.ts";
import type {
  ClientEntry,
  EdgeDrain,
  EdgeFence,
  EdgeLease,
  MemberEntry,
  NoticeRecord,
  RoomRecord,
  SnapshotRecord,
} from "../../gen/baccarat/v1/control_pb.ts";
import type { Revocation } from "../../gen/baccarat/v1/edge_service_pb.ts";
import type { Mute } from "../../gen/baccarat/v1/moderation_pb.ts";
import type { RoomId, Uid } from "../ids.ts";
import type { OrderedMap } from "./ordered-map.ts";

/** What the control log says now, as every replica sees it. Only the fold changes these. */

/** A room of which something is known: settings or entries. */
export interface FoldedRoom {
  readonly id: RoomId;
  /** Stored settings, or that it was deleted; undefined when nothing is stored. */
  readonly record: RoomRecord | undefined;
  /** Users who are in the room, by uid. */
  readonly members: OrderedMap<FoldedMember>;
  /** Entries of connections, by client id, those that do not count included. */
  readonly entries: OrderedMap<FoldedEntry>;
  /** Incarnations of edges that have members here, with how many of their entries count. */
  readonly hosts: ReadonlyMap<string, number>;
}

/** A user in a room. */
export interface FoldedMember {
  readonly uid: Uid;
  /** The connections by which it is there, by client id. Never empty while it is a member. */
  readonly entries: ReadonlyMap<string, FoldedEntry>;
  /** As others see it: profile of the latest entry, time of the first one. Shared: never changed. */
  view(): Member;
}

/** A connection in a room. */
export interface FoldedEntry {
  readonly room: RoomId;
  readonly uid: Uid;
  readonly clientId: string;
  readonly incarnation: string;
  readonly value: MemberEntry;
  /** Place in the control log of what was written last. */
  readonly revision: number;
  /** Why it does not count; undefined while it does. */
  readonly out: EntryOut | undefined;
}

/** Why an entry does not count: evicted, banned, room_full, room_deleted, edge_lost. */
export interface EntryOut {
  readonly reason: string;
  /** Who decided, empty when nobody did. */
  readonly by: string;
}

/** A connection. */
export interface FoldedClient {
  readonly clientId: string;
  readonly incarnation: string;
  /** As registered; undefined when only entries of it are known. */
  readonly value: ClientEntry | undefined;
  /** When it was registered as this user with this session, as a place in the control log: the smaller, the older. */
  readonly since: number;
  /** Its entries by room, in the order of joining. */
  readonly entries: ReadonlyMap<RoomId, FoldedEntry>;
  /** It is over, and its edge has written how far it had its user's direct messages. */
  readonly cursorEnded: boolean;
}

/** One run of an edge. */
export interface FoldedIncarnation {
  readonly incarnation: string;
  readonly lease: EdgeLease | undefined;
  /** Place of the lease's last renewal in the control log, 0 when there is none. */
  readonly leaseRevision: number;
  /** What it did lately; undefined before it said so. */
  readonly traffic: EdgeTraffic | undefined;
  readonly fence: EdgeFence | undefined;
  /** An operator sends its clients elsewhere. */
  readonly drain: EdgeDrain | undefined;
  /** Place of the latest claim of its attachment, 0 when there is none. */
  readonly attachedAt: number;
  readonly clients: ReadonlySet<FoldedClient>;
}

/** What one entry of the control log changed; heard synchronously, in the order of the log. */
export type Change =
  | { readonly kind: "entered"; readonly room: FoldedRoom; readonly member: FoldedMember }
  | { readonly kind: "exited"; readonly room: FoldedRoom; readonly member: Member; readonly reason: string }
  | { readonly kind: "entry" | "entry_gone"; readonly entry: FoldedEntry }
  | { readonly kind: "client" | "client_gone" | "cursor_ended"; readonly client: FoldedClient }
  | { readonly kind: "block"; readonly uid: Uid; readonly other: Uid; readonly blocked: boolean }
  | { readonly kind: "room"; readonly room: FoldedRoom }
  | {
      readonly kind: "snapshot";
      readonly room: RoomId;
      readonly key: string;
      /** Undefined when there is none any more. */
      readonly record: SnapshotRecord | undefined;
    }
  | { readonly kind: "lease" | "fenced" | "attached" | "drain"; readonly incarnation: FoldedIncarnation }
  | { readonly kind: "user"; readonly uid: Uid }
  | {
      readonly kind: "mute";
      readonly room: RoomId;
      readonly uid: Uid;
      /** Undefined when there is none any more. */
      readonly mute: Mute | undefined;
      /** Who decided, and why; empty when it was only cleared away. */
      readonly by: string;
      readonly reason: string;
    }
  | { readonly kind: "revoked"; readonly revocation: Revocation }
  | { readonly kind: "notice"; readonly notice: NoticeRecord }
  | { readonly kind: "interrupted" | "caught_up" };

/** Hears changes. Must not throw or block. */
export type ChangeListener = (change: Change) => void;
