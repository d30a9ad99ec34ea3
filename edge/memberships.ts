import type { RoomId } from "../services/ids.ts";
import type { Member } from "./hosted-room.ts";

/**
 * The rooms of one connection, in the order of joining: the last one is its current room. A list, since most connections
 * are in a few rooms and none in many, and a map costs hundreds of bytes whatever is in it.
 */
export class Memberships {
  /** Made anew when it changes, by concat and not by spread: an array that grows reserves space for sixteen. */
  #members: readonly Member[] = [];

  /** How many there are. */
  get size(): number {
    return this.#members.length;
  }

  /** The one last added. */
  get last(): Member | undefined {
    return this.#members.at(-1);
  }

  /** All of them, as they are now. */
  all(): readonly Member[] {
    return this.#members;
  }

  get(room: RoomId): Member | undefined {
    return this.#members.find((member) => member.room.id === room);
  }

  has(room: RoomId): boolean {
    return this.get(room) !== undefined;
  }

  /** Adds one, in place of another of the same room. */
  add(member: Member): void {
    this.#members = this.#without(member.room.id).concat(member);
  }

  /** Takes the one of a room out; undefined when there is none. */
  take(room: RoomId): Member | undefined {
    const member = this.get(room);
    if (member !== undefined) this.#members = this.#without(room);
    return member;
  }

  #without(room: RoomId): readonly Member[] {
    return this.#members.filter((member) => member.room.id !== room);
  }
}
