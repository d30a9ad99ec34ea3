import type { Hand, Hands, Left, NewShoe, Place, Result, Roads, TableEvent } from "./table-events.ts";

/** What a table is doing: a shoe is new, guesses are taken, cards are dealt, a round is settled. */
export type Phase = "shuffling" | "betting" | "dealing" | "settled";

/** A table at one moment. */
export interface TableState extends Place, Left, Roads {
  readonly phase: Phase;
  /** When that began, in milliseconds by the server's clock. */
  readonly since: number;
  /** When guesses end, in milliseconds by the server's clock; 0 unless they are taken. */
  readonly closesAt: number;
  /** How long they are taken in all, in milliseconds; 0 unless they are. */
  readonly bettingMs: number;
  /** How this shoe was made ready; undefined until that is known. */
  readonly ready: NewShoe | undefined;
  readonly hands: Hands;
  /** Of this round, once it is settled. */
  readonly result: Result | undefined;
}

const NO_HAND: Hand = { cards: [], total: 0 };
/** Both hands before a round. */
export const NO_HANDS: Hands = { player: NO_HAND, banker: NO_HAND };
const NOTHING: TableState = {
  phase: "shuffling",
  since: 0,
  closesAt: 0,
  bettingMs: 0,
  shoe: 0,
  round: 0,
  lastOfShoe: false,
  cardsLeft: 0,
  cutCardOut: false,
  ready: undefined,
  hands: NO_HANDS,
  result: undefined,
  beads: [],
  marks: [],
};

/**
 * The table after an event. Each event is complete for its round, and a state for everything before it, so the latest
 * state and the latest event of the round, in this order, lead to where everybody else is.
 * @param sentMs when the server took the event, by its clock.
 */
export function fold(table: TableState | undefined, event: TableEvent, sentMs: number): TableState {
  const before = table ?? NOTHING;
  const at = { since: sentMs, closesAt: 0, bettingMs: 0 };
  switch (event.kind) {
    case "shoe": {
      const place = { shoe: event.ready.shoe, round: 0, lastOfShoe: false };
      return { ...NOTHING, ...event.left, ...place, ...at, ready: event.ready };
    }
    case "state": {
      const { ready, left, place, settled, roads } = event;
      const known = { ...before, ...left, ...place, ...roads, ...at, ready };
      if (settled === undefined) return { ...known, phase: "shuffling", hands: NO_HANDS, result: undefined };
      return { ...known, phase: "settled", ...settled };
    }
    case "opened": {
      const { place, bettingMs } = event;
      const window = { since: sentMs, closesAt: sentMs + bettingMs, bettingMs };
      return { ...before, ...place, ...window, phase: "betting", hands: NO_HANDS, result: undefined };
    }
    case "closed":
      return { ...before, ...event.place, ...at, phase: "dealing", hands: NO_HANDS, result: undefined };
    case "card": {
      const { place, left, hands } = event;
      return { ...before, ...place, ...left, ...at, phase: "dealing", hands, result: undefined };
    }
    case "result": {
      const { place, left, hands, result } = event;
      return { ...before, ...place, ...left, ...at, phase: "settled", hands, result };
    }
  }
}
