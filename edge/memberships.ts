import type { RoomId } from "../services/ids.ts";
import type { Member } from "./member.ts";

/** Most rooms that are a list: below that a map is no faster, and costs hundreds of bytes whatever is in it. */
const FEW = 16;

/**
 * The rooms of one connection, in the order of joining: the last one is its current room. A list, since most connections
 * are in a few rooms; a map once one is in many, so that it finds each of them as fast.
 */
export class Memberships {
  /** The list is made anew when it changes, by concat and not by spread: an array that grows reserves space for sixteen. */
  #members: readonly Member[] | Map<RoomId, Member> = [];

  /** How many there are. */
  get size(): number {
    return this.#members instanceof Map ? this.#members.size : this.#members.length;
  }

  /** The one last added. */
  get last(): Member | undefined {
    return this.all().at(-1);
  }

  /** All of them, as they are now. */
  all(): readonly Member[] {
    return this.#members instanceof Map ? [...this.#members.values()] : this.#members;
  }

  get(room: RoomId): Member | undefined {
    if (this.#members instanceof Map) return this.#members.get(room);
    return this.#members.find((member) => member.room.id === room);
  }

  has(room: RoomId): boolean {
    return this.get(room) !== undefined;
  }

  /** Adds one, in place of another of the same room. */
  add(member: Member): void {
    this.take(member.room.id);
    if (this.#members instanceof Map) this.#members.set(member.room.id, member);
    else if (this.#members.length < FEW) this.#members = this.#members.concat(member);
    else this.#members = new Map([...this.#members, member].map((one) => [one.room.id, one]));
  }

  /** Takes the one of a room out; undefined when there is none. */
  take(room: RoomId): Member | undefined {
    const member = this.get(room);
    if (member === undefined) return undefined;
    if (this.#members instanceof Map) this.#members.delete(room);
    else this.#members = this.#members.filter((one) => one !== member);
    return member;
  }
}
