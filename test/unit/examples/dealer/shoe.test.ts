import { describe, expect, it } from "vitest";
import {
  BEHIND_CUT,
  burnCount,
  type Card,
  freshCards,
  SHOE_CARDS,
  Shoe,
  shuffle,
} from "../../../../examples/dealer/shoe.ts";
import { seeded } from "./seeded.ts";

const tens = (count: number): Card[] => Array.from({ length: count }, (): Card => "KS");
const drawn = (shoe: Shoe, count: number): Card[] => Array.from({ length: count }, () => shoe.draw());

describe("a shoe", () => {
  it("has eight of each of 52 cards", () => {
    const counts = Map.groupBy(freshCards(), (card) => card);
    expect(counts.size).toBe(52);
    for (const [card, cards] of counts) expect(cards, card).toHaveLength(8);
    expect(SHOE_CARDS).toBe(416);
  });

  it("keeps every card when shuffled, in another order, which the source of randomness alone decides", () => {
    const shuffled = shuffle(freshCards(), seeded(1));
    expect(shuffled.toSorted()).toEqual(freshCards().toSorted());
    expect(shuffled).not.toEqual(freshCards());
    expect(shuffle(freshCards(), seeded(1))).toEqual(shuffled);
    expect(shuffle(freshCards(), seeded(2))).not.toEqual(shuffled);
  });

  it("puts every card in every place equally often", () => {
    const SHUFFLES = 60_000;
    const random = seeded(7);
    const counts = new Map<string, number>();
    for (let turn = 0; turn < SHUFFLES; turn += 1) {
      const order = shuffle(["AS", "2S", "3S"], random).join("");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const [order, count] of counts) expect(Math.abs(count - SHUFFLES / 6), order).toBeLessThan(400);
  });

  it("refuses randomness out of range", () => {
    expect(() => shuffle(freshCards(), (below) => below)).toThrow(RangeError);
  });

  it.each<[Card, number]>([
    ["AS", 1],
    ["2S", 2],
    ["9S", 9],
    ["TS", 10],
    ["JS", 10],
    ["QS", 10],
    ["KS", 10],
  ])("burns after %s: %i", (card, count) => {
    expect(burnCount(card)).toBe(count);
    const shoe = new Shoe([card, ...tens(30)]);
    expect(shoe.burn()).toEqual({ shown: card, burned: count });
    expect(shoe.left).toBe(30 - count);
  });

  it("gives one more round after the one in which the cut card came out", () => {
    const shoe = new Shoe(tens(BEHIND_CUT + 5));
    shoe.beginRound();
    drawn(shoe, 6);
    expect(shoe.cutCardOut).toBe(true);
    expect(shoe.finished).toBe(false);
    shoe.beginRound();
    expect(shoe.finished).toBe(true);
    drawn(shoe, 6);
    expect(() => shoe.beginRound()).toThrow(RangeError);
  });

  it("ends with the round before whose first card the cut card came out", () => {
    const shoe = new Shoe(tens(BEHIND_CUT + 4));
    shoe.beginRound();
    drawn(shoe, 4);
    shoe.beginRound();
    expect(shoe.finished).toBe(true);
  });

  it("goes on while the cut card is in", () => {
    const shoe = new Shoe(tens(BEHIND_CUT + 5));
    shoe.beginRound();
    drawn(shoe, 4);
    expect(shoe.cutCardOut).toBe(false);
    shoe.beginRound();
    expect(shoe.finished).toBe(false);
  });

  it("never runs dry: two rounds of six cards fit behind the cut card", () => {
    expect(BEHIND_CUT).toBeGreaterThanOrEqual(5 + 6);
    expect(() => drawn(new Shoe(tens(2)), 3)).toThrow(RangeError);
  });
});
