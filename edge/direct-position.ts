import type { RoomId } from "../services/ids.ts";

/** Up to where somebody was given direct messages. */
export interface DirectPosition {
  /** Everything up to here, in all conversations. */
  readonly seq: number;
  /** Conversations of which more was given, and up to where. */
  readonly ahead: ReadonlyMap<RoomId, number>;
}

/** What all of several have; undefined when that is not known of one of them, or there are none. */
export function least(positions: Iterable<DirectPosition | undefined>): DirectPosition | undefined {
  let result: DirectPosition | undefined;
  for (const position of positions) {
    if (position === undefined) return undefined;
    result = result === undefined ? position : common(result, position);
  }
  return result;
}

function common(one: DirectPosition, other: DirectPosition): DirectPosition {
  const seq = Math.min(one.seq, other.seq);
  const ahead = new Map<RoomId, number>();
  for (const room of [...one.ahead.keys(), ...other.ahead.keys()]) {
    const given = Math.min(givenOf(one, room), givenOf(other, room));
    if (given > seq) ahead.set(room, given);
  }
  return { seq, ahead };
}

function givenOf(position: DirectPosition, room: RoomId): number {
  return Math.max(position.seq, position.ahead.get(room) ?? 0);
}
