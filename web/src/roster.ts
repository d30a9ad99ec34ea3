import type { Member, Message, Presence } from "../../client/src/types.ts";

/** Who is in a room, as far as known: of a large room only the first members and those who moved lately. */
export class Roster {
  readonly #members = new Map<string, Member>();
  #count = 0;

  /** How many members the room has, known or not. */
  get count(): number {
    return this.#count;
  }

  /** Members known, by name. */
  get members(): readonly Member[] {
    return [...this.#members.values()].sort(
      (a, b) => NAMES.compare(a.username, b.username) || (a.uid < b.uid ? -1 : 1),
    );
  }

  /** A member known here; undefined for others. */
  get(uid: string): Member | undefined {
    return this.#members.get(uid);
  }

  /** Who wrote a message: the member known here, or what the message says of them. */
  authorOf({ uid, username, avatarId }: Message): Member {
    return this.get(uid) ?? { uid, username, ...(avatarId === undefined ? {} : { avatarId }) };
  }

  /** Begins anew, with the first members of a room. */
  replace(members: readonly Member[], count: number): void {
    this.#members.clear();
    this.add(members);
    this.#count = count;
  }

  /** Learns of more members, from a page of the list. */
  add(members: readonly Member[]): void {
    for (const member of members) if (this.#members.size < MOST_KEPT) this.#members.set(member.uid, member);
  }

  /** Follows a change. */
  change({ count, joined, left }: Presence): void {
    for (const { uid } of left) this.#members.delete(uid);
    this.add(joined);
    this.#count = count;
  }
}

const NAMES = new Intl.Collator(undefined, { sensitivity: "base", numeric: true });
/** More could not be read by anybody. */
const MOST_KEPT = 1_000;
