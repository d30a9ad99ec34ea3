import { describe, expect, it } from "vitest";
import {
  bankerDraws,
  type Cards,
  type Hand,
  NO_CARDS,
  nextHand,
  playerDraws,
  resultOf,
  totalOf,
  type Winner,
  withCard,
} from "../../../../examples/dealer/rules.ts";
import { type Card, pointsOf, Shoe } from "../../../../examples/dealer/shoe.ts";
import { seeded } from "./seeded.ts";

/** Two cards that make a total without being a pair or a natural by accident: a ten and the total. */
function two(total: number): readonly [Card, Card] {
  return ["KS", total === 0 ? "QH" : total === 1 ? "AH" : (`${total}H` as Card)];
}

/** A card worth so many points. */
function worth(points: number): Card {
  return points === 0 ? "JD" : points === 1 ? "AD" : (`${points}D` as Card);
}

describe("points", () => {
  it.each<[Card, number]>([
    ["AS", 1],
    ["2H", 2],
    ["3D", 3],
    ["4C", 4],
    ["5S", 5],
    ["6H", 6],
    ["7D", 7],
    ["8C", 8],
    ["9S", 9],
    ["TH", 0],
    ["JD", 0],
    ["QC", 0],
    ["KS", 0],
  ])("%s is worth %i", (card, points) => expect(pointsOf(card)).toBe(points));

  it.each<[Card[], number]>([
    [[], 0],
    [["7S", "8S"], 5],
    [["9S", "9H"], 8],
    [["9S", "9H", "9D"], 7],
    [["KS", "QS", "JS"], 0],
  ])("%j make %i", (cards, total) => expect(totalOf(cards)).toBe(total));
});

describe("the player's third card", () => {
  it.each([
    [0, true],
    [1, true],
    [2, true],
    [3, true],
    [4, true],
    [5, true],
    [6, false],
    [7, false],
  ])("with %i: %s", (total, draws) => expect(playerDraws(total)).toBe(draws));
});

/** As casinos print it: rows are the banker's total, columns the player's third card from 0 to 9; then without one. */
const BANKER: readonly (readonly [number, string, string])[] = [
  [0, "DDDDDDDDDD", "D"],
  [1, "DDDDDDDDDD", "D"],
  [2, "DDDDDDDDDD", "D"],
  [3, "DDDDDDDDSD", "D"],
  [4, "SSDDDDDDSS", "D"],
  [5, "SSSSDDDDSS", "D"],
  [6, "SSSSSSDDSS", "S"],
  [7, "SSSSSSSSSS", "S"],
];

describe("the banker's third card", () => {
  const cases = BANKER.flatMap(([total, row, alone]) => [
    ...[...row].map((cell, third) => [total, third, cell === "D"] as const),
    [total, undefined, alone === "D"] as const,
  ]);

  it.each(cases)("with %i against a third card of %s: %s", (total, third, draws) => {
    expect(bankerDraws(total, third)).toBe(draws);
    // The player drew, so it had at most 5; without a third card it stood on 6.
    const player = third === undefined ? two(6) : [...two(0), worth(third)];
    expect(nextHand({ player, banker: two(total) })).toBe(draws ? "banker" : undefined);
  });
});

describe("nextHand", () => {
  it("deals the first four cards in turn, the player's first", () => {
    const order: (Hand | undefined)[] = [];
    let cards: Cards = NO_CARDS;
    for (const card of ["KS", "KH", "6S", "7H"] as const) {
      const hand = nextHand(cards);
      order.push(hand);
      if (hand) cards = withCard(cards, hand, card);
    }
    expect([...order, nextHand(cards)]).toEqual(["player", "banker", "player", "banker", undefined]);
  });

  it("gives nobody a card once either hand has a natural", () => {
    for (const natural of [8, 9]) {
      for (let other = 0; other <= 9; other += 1) {
        expect(nextHand({ player: two(natural), banker: two(other) })).toBeUndefined();
        expect(nextHand({ player: two(other), banker: two(natural) })).toBeUndefined();
      }
    }
  });

  it("asks the player before the banker, and each for one card at most", () => {
    for (let player = 0; player <= 7; player += 1) {
      for (let banker = 0; banker <= 7; banker += 1) {
        const cards = { player: two(player), banker: two(banker) };
        expect(nextHand(cards)).toBe(player <= 5 ? "player" : banker <= 5 ? "banker" : undefined);
      }
    }
    expect(nextHand({ player: two(0), banker: [...two(0), "2S"] as Card[] })).toBeUndefined();
  });
});

describe("resultOf", () => {
  it.each<[Card[], Card[], Winner, Partial<ReturnType<typeof resultOf>>]>([
    [["KS", "9H"], ["KD", "8C"], "player", { natural: true, playerTotal: 9, bankerTotal: 8 }],
    [["KS", "6H"], ["KD", "7C"], "banker", { natural: false, playerPair: false, bankerPair: false }],
    [["KS", "6H"], ["6D", "TC"], "tie", { natural: false, playerTotal: 6, bankerTotal: 6 }],
    [["4S", "4H"], ["TD", "7C"], "player", { natural: true, playerPair: true, bankerPair: false }],
    [["2S", "3H", "4S"], ["3D", "3C", "3S"], "tie", { natural: false, bankerPair: true }],
    [["5S", "5H", "9S"], ["KD", "QC", "2S"], "player", { natural: false, playerPair: true }],
  ])("%j against %j: %s", (player, banker, winner, rest) => {
    expect(resultOf({ player, banker })).toMatchObject({ winner, ...rest });
  });
});

describe("a million hands", () => {
  it("end as the known odds of eight decks say", () => {
    const HANDS = 1_000_000;
    const random = seeded(20_231_204);
    const wins = { player: 0, banker: 0, tie: 0 };
    let shoe: Shoe | undefined;
    for (let hands = 0; hands < HANDS; hands += 1) {
      if (shoe === undefined || shoe.finished) {
        shoe = Shoe.shuffled(random);
        shoe.burn();
      }
      shoe.beginRound();
      let cards: Cards = NO_CARDS;
      for (let hand = nextHand(cards); hand !== undefined; hand = nextHand(cards)) {
        cards = withCard(cards, hand, shoe.draw());
      }
      wins[resultOf(cards).winner] += 1;
    }
    const share = (count: number): number => (100 * count) / HANDS;
    expect(Math.abs(share(wins.banker) - 45.86), `banker ${share(wins.banker)} %`).toBeLessThan(0.15);
    expect(Math.abs(share(wins.player) - 44.62), `player ${share(wins.player)} %`).toBeLessThan(0.15);
    expect(Math.abs(share(wins.tie) - 9.52), `tie ${share(wins.tie)} %`).toBeLessThan(0.15);
  });
});
