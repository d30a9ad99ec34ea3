import { type Card, pointsOf, rankOf } from "./shoe.ts";

/** The two hands of punto banco. Nobody's cards: they are what is bet on elsewhere. */
export type Hand = "player" | "banker";
/** How a round ends. */
export type Winner = Hand | "tie";

/** Cards of both hands, in the order dealt. */
export interface Cards {
  readonly player: readonly Card[];
  readonly banker: readonly Card[];
}

/** A settled round. */
export interface Result {
  readonly winner: Winner;
  readonly playerTotal: number;
  readonly bankerTotal: number;
  /** True when a hand had 8 or 9 with its first two cards. */
  readonly natural: boolean;
  /** True when the hand's first two cards are of one rank. */
  readonly playerPair: boolean;
  readonly bankerPair: boolean;
}

/** A hand before a round. */
export const NO_CARDS: Cards = { player: [], banker: [] };

/** Points of a hand: the last digit of the sum. */
export function totalOf(cards: readonly Card[]): number {
  let sum = 0;
  for (const card of cards) sum += pointsOf(card);
  return sum % 10;
}

/** True when the player draws a third card, given the points of its two. Naturals are not asked about. */
export function playerDraws(total: number): boolean {
  return total <= 5;
}

/**
 * True when the banker draws a third card.
 * @param total points of its two cards.
 * @param playerThird points of the player's third card; undefined when the player stood.
 */
export function bankerDraws(total: number, playerThird: number | undefined): boolean {
  if (playerThird === undefined) return total <= 5;
  return BANKER_DRAWS[total]?.includes(playerThird) ?? false;
}

/** Points of the player's third card on which the banker draws, by the banker's own points. */
const BANKER_DRAWS: readonly (readonly number[])[] = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  [0, 1, 2, 3, 4, 5, 6, 7, 9],
  [2, 3, 4, 5, 6, 7],
  [4, 5, 6, 7],
  [6, 7],
];

/** Which hand gets the next card; undefined when the round is settled. */
export function nextHand({ player, banker }: Cards): Hand | undefined {
  // The first four cards alternate, the player's first.
  if (banker.length < 2) return player.length > banker.length ? "banker" : "player";
  if (banker.length > 2 || isNatural(player) || isNatural(banker)) return undefined;
  if (player.length === 2 && playerDraws(totalOf(player))) return "player";
  const third = player[2];
  return bankerDraws(totalOf(banker), third && pointsOf(third)) ? "banker" : undefined;
}

/** Adds a card to a hand. */
export function withCard(cards: Cards, hand: Hand, card: Card): Cards {
  return { ...cards, [hand]: [...cards[hand], card] };
}

/** The result of a round that nextHand calls settled. */
export function resultOf({ player, banker }: Cards): Result {
  const [playerTotal, bankerTotal] = [totalOf(player), totalOf(banker)];
  return {
    winner: playerTotal > bankerTotal ? "player" : playerTotal < bankerTotal ? "banker" : "tie",
    playerTotal,
    bankerTotal,
    natural: isNatural(player.slice(0, 2)) || isNatural(banker.slice(0, 2)),
    playerPair: isPair(player),
    bankerPair: isPair(banker),
  };
}

function isNatural(cards: readonly Card[]): boolean {
  return cards.length === 2 && totalOf(cards) >= 8;
}

function isPair([first, second]: readonly Card[]): boolean {
  return first !== undefined && second !== undefined && rankOf(first) === rankOf(second);
}
