import { excluding, type Few, findIn, including, listOf } from "../services/few.ts";
import type { RoomId } from "../services/ids.ts";
import type { Member } from "./member.ts";

/** Most rooms that are a list: below that a map is no faster, and costs hundreds of bytes whatever is in it. */
const FEW = 16;

/**
 * The rooms of one connection, in the order of joining: the last one is its current room. A map once one is in many, so that
 * it finds each of them as fast; most connections are in one.
 */
export class Memberships {
  #members: Few<Member> | Map<RoomId, Member>;

  /** How many there are. */
  get size(): number {
    return this.#members instanceof Map ? this.#members.size : listOf(this.#members).length;
  }

  /** The one last added. */
  get last(): Member | undefined {
    return this.all().at(-1);
  }

  /** All of them, as they are now. */
  all(): readonly Member[] {
    return this.#members instanceof Map ? [...this.#members.values()] : listOf(this.#members);
  }

  get(room: RoomId): Member | undefined {
    if (this.#members instanceof Map) return this.#members.get(room);
    return findIn(this.#members, (member) => member.room.id === room);
  }

  has(room: RoomId): boolean {
    return this.get(room) !== undefined;
  }

  /** Adds one, in place of another of the same room. */
  add(member: Member): void {
    this.take(member.room.id);
    if (this.#members instanceof Map) this.#members.set(member.room.id, member);
    else if (this.size < FEW) this.#members = including(this.#members, member);
    else this.#members = new Map([...this.all(), member].map((one) => [one.room.id, one]));
  }

  /** Takes the one of a room out; undefined when there is none. */
  take(room: RoomId): Member | undefined {
    const member = this.get(room);
    if (member === undefined) return undefined;
    if (this.#members instanceof Map) this.#members.delete(room);
    else this.#members = excluding(this.#members, member);
    return member;
  }
}
