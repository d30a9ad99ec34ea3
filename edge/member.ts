import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { MemberPolicy } from "../gen/baccarat/v1/edge_service_pb.ts";
import type { HostedRoom } from "./hosted-room.ts";
import type { Outbox } from "./outbox.ts";

/** What a join granted to one connection. */
export interface Grant {
  readonly moderator: boolean;
  /** In milliseconds since 1970; 0 when not muted, Infinity when until told otherwise. */
  readonly mutedUntilMs: number;
}

/** What nearly everybody is granted: one for all. */
const USUAL: Grant = { moderator: false, mutedUntilMs: 0 };

/** A grant of this. */
export function grantOf(moderator: boolean, mutedUntilMs: number): Grant {
  return moderator || mutedUntilMs !== 0 ? { moderator, mutedUntilMs } : USUAL;
}

/** One connection in one room. */
export interface Member {
  readonly room: HostedRoom;
  readonly uid: string;
  readonly outbox: Outbox;
  grant: Grant;
  /** Where it stands in the room's list; -1 once it left. */
  index: number;
  /** Frames at the start of the room's pending list that are older than the membership. */
  skip: number;
  /** Position it joined at, while events up to there may still come: it has them already. 0 afterwards. */
  after: number;
  /** When it last said that its user is typing, by performance.now(). */
  typedAt: number | undefined;
}

/** Whether it is not to hear everything yet. */
export function isNewcomer(member: Member): boolean {
  return member.skip !== 0 || member.after !== 0;
}

/** Until when a user may not write, in milliseconds since 1970: 0 when they may, Infinity when until told otherwise. */
export function mutedUntilMs({ muted, mutedUntil }: Pick<MemberPolicy, "muted" | "mutedUntil">): number {
  if (!muted) return 0;
  return mutedUntil === undefined ? Number.POSITIVE_INFINITY : timestampMs(mutedUntil);
}
