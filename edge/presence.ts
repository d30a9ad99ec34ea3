import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Member } from "../gen/baccarat/v1/client_pb.ts";
import type { RoomId } from "../services/ids.ts";
import { FIXED } from "../services/limits.ts";
import { encodeMember, encodeMembersChanged, type MemberFields, type ProfileFields } from "./frame-encoders.ts";

/** Hears what is to be told. */
export interface PresenceListener {
  /** Every member at this edge is to be sent this frame. */
  onPresence(json: string): void;
}

/** Least time between two members_changed of a room, in milliseconds. */
const CHANGED_MS = 1_000;

/**
 * Who is in one room, as far as its members at this edge were told. Transitions are derived by the control plane; this
 * turns them into frames: one per user in a small room, a summary a second in a crowded one.
 */
export class Presence {
  readonly #room: RoomId;
  readonly #listener: PresenceListener;
  #count = 0;
  /**
   * Every member, or undefined when the room has more than can be shown, or nobody here was told. A list, since there are
   * FIXED.membersShown at most, and a map takes three times as much in every room.
   */
  #members: MemberFields[] | undefined;
  #crowded = false;
  #changed = false;
  /** Samples of who came and went since the last summary. Made in crowded rooms only. */
  #joined: Map<string, ProfileFields> | undefined;
  #left: Map<string, ProfileFields> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { readonly room: RoomId; readonly listener: PresenceListener }) {
    this.#room = options.room;
    this.#listener = options.listener;
  }

  /** Takes over what a join was answered, of which the joiner itself is told by its reply. */
  joined(count: number, members: readonly Member[]): void {
    this.#know(count, members);
    this.#crowded = this.#isCrowded();
  }

  /** A user entered the room. */
  entered(member: Member, count: number): void {
    this.#count = count;
    if (this.#members !== undefined) this.#members = without(this.#members, member.uid).concat(fieldsOf(member));
    if (this.#mayTellEach()) {
      this.#listener.onPresence(encodeMember("member_joined", { room: this.#room, member, count, reason: "" }));
      return;
    }
    if (!this.#left?.delete(member.uid)) this.#joined = sample(this.#joined, member);
    this.#change();
  }

  /** A user is no longer in the room. */
  exited(member: Member, count: number, reason: string): void {
    this.#count = count;
    if (this.#members !== undefined) this.#members = without(this.#members, member.uid);
    if (this.#mayTellEach()) {
      this.#listener.onPresence(encodeMember("member_left", { room: this.#room, member, count, reason }));
      return;
    }
    if (!this.#joined?.delete(member.uid)) this.#left = sample(this.#left, member);
    this.#change();
  }

  /** Compares with what was told before the link to the control plane broke, and tells the difference. */
  resync(count: number, members: readonly Member[]): void {
    const before = this.#members;
    const countBefore = this.#count;
    this.#know(count, members);
    const now = this.#members;
    if (before === undefined || now === undefined || !this.#mayTellEach()) {
      if (count !== countBefore || before !== undefined) this.#change();
      return;
    }
    for (const member of before) {
      if (includes(now, member.uid)) continue;
      this.#listener.onPresence(
        encodeMember("member_left", { room: this.#room, member, count, reason: "disconnected" }),
      );
    }
    for (const member of now) {
      if (includes(before, member.uid)) continue;
      this.#listener.onPresence(encodeMember("member_joined", { room: this.#room, member, count, reason: "" }));
    }
  }

  /** All members in the order of their uids, when they are known here and at most `size`. */
  all(size: number): readonly MemberFields[] | undefined {
    if (this.#members === undefined || this.#members.length > size || this.#members.length !== this.#count)
      return undefined;
    return [...this.#members].sort((a, b) => (a.uid < b.uid ? -1 : 1));
  }

  /** Nobody at this edge is in the room any more, so nothing is heard of it. */
  forget(): void {
    this.#members = undefined;
    this.#count = 0;
    this.#settle();
  }

  /** Forgets what was not told yet. */
  close(): void {
    this.forget();
  }

  #know(count: number, members: readonly Member[]): void {
    this.#count = count;
    const complete = members.length === count && count <= FIXED.membersShown;
    this.#members = complete ? members.map(fieldsOf) : undefined;
  }

  #isCrowded(): boolean {
    return this.#count > (this.#crowded ? FIXED.membersShownAgain - 1 : FIXED.membersShown);
  }

  /** Follows the room's size. What waits for its second to be summed up is told first, so that each is told in order. */
  #mayTellEach(): boolean {
    const crowded = this.#isCrowded();
    if (crowded) this.#members = undefined;
    this.#crowded = crowded || (this.#crowded && this.#changed);
    return !this.#crowded;
  }

  #change(): void {
    this.#changed = true;
    if (this.#timer === undefined) this.#tell();
  }

  #tell(): void {
    const [joined, left] = [[...(this.#joined?.values() ?? [])], [...(this.#left?.values() ?? [])]];
    this.#settle();
    this.#crowded = this.#isCrowded();
    this.#listener.onPresence(encodeMembersChanged({ room: this.#room, count: this.#count, joined, left }));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#changed) this.#tell();
    }, CHANGED_MS);
  }

  #settle(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#changed = false;
    this.#joined = undefined;
    this.#left = undefined;
  }
}

const without = (members: readonly MemberFields[], uid: string): MemberFields[] =>
  members.filter((member) => member.uid !== uid);

const includes = (members: readonly MemberFields[], uid: string): boolean =>
  members.some((member) => member.uid === uid);

/** What is kept of a member: a Protobuf message takes four times as much, and there is one for every idle connection. */
function fieldsOf({ uid, username, avatarId, joinTime }: Member): MemberFields {
  return { uid, username, avatarId, joinTime: joinTime && timestampMs(joinTime) };
}

function sample(sampled: Map<string, ProfileFields> | undefined, member: Member): Map<string, ProfileFields> {
  const some = sampled ?? new Map<string, ProfileFields>();
  return some.size < FIXED.membersSampled ? some.set(member.uid, member) : some;
}
