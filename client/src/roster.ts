import type { Member, Presence } from "./types.ts";
import { camel, type Frame, type RoomJoined } from "./wire.ts";

/** Who is in a room: how many, and the first hundred of them. */
export class Roster {
  #count = 0;
  #members: readonly Member[] = [];

  get count(): number {
    return this.#count;
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  joined({ count, members }: RoomJoined): void {
    this.#count = count;
    this.#members = members;
  }

  /** Follows a frame that tells of a change; undefined for every other frame. */
  change(frame: Frame): Presence | undefined {
    if (!PRESENCE.has(frame.type)) return undefined;
    const { uid, username, avatarId, reason, count, ...lists } = camel<Change>(frame.payload);
    const member = { uid, username, ...(avatarId ? { avatarId } : {}) };
    const joined = lists.joined ?? (frame.type === "member_joined" ? [member] : []);
    const left = lists.left ?? (frame.type === "member_left" ? [member] : []);
    const moved = new Set([...left, ...joined].map((one) => one.uid));
    this.#count = count;
    this.#members = [...this.#members.filter((one) => !moved.has(one.uid)), ...joined].slice(0, MEMBERS_KEPT);
    return { count, joined, left, ...(reason ? { reason } : {}) };
  }
}

interface Change extends Member {
  readonly count: number;
  readonly reason?: string;
  readonly joined?: readonly Member[];
  readonly left?: readonly Member[];
}

const PRESENCE: ReadonlySet<string> = new Set(["member_joined", "member_left", "members_changed"]);
const MEMBERS_KEPT = 100;
