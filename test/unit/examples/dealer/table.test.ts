import { describe, expect, it } from "vitest";
import { totalOf } from "../../../../examples/dealer/rules.ts";
import { type Card, Shoe } from "../../../../examples/dealer/shoe.ts";
import { type EarlierRound, Table, type TableEvent } from "../../../../examples/dealer/table.ts";
import { seeded } from "./seeded.ts";

const CLOSES = Date.parse("2026-11-23T12:00:10Z");

/** A shoe whose first card burns one, and whose next cards are these. */
function stacked(...cards: Card[]): Shoe {
  const rest = Array.from({ length: 40 }, (): Card => "KS");
  return new Shoe(["AS", "2S", ...cards, ...rest]);
}

function playRound(table: Table): TableEvent[] {
  const events: TableEvent[] = [table.openRound(CLOSES, 10_000), table.closeRound()];
  for (let card = table.dealCard(); card !== undefined; card = table.dealCard()) events.push(card);
  return [...events, table.settle()];
}

describe("a table", () => {
  it("tells a whole round in order", () => {
    const table = new Table({ random: seeded(1) });
    expect(table.needsShoe).toBe(true);
    expect(table.changeShoe(stacked("2H", "3H", "2D", "4D", "6C", "KD"))).toEqual({
      type: "table.shoe",
      data: { shoe: 1, decks: 8, burn_card: "AS", burned: 1, cards_left: 46, void_round: 0 },
    });
    const round = { shoe: 1, round: 1, last_of_shoe: false };
    const card = (hand: string, index: number, name: string, left: number, player: Card[], banker: Card[]) => ({
      type: "table.card",
      data: {
        ...round,
        hand,
        index,
        card: name,
        cards_left: left,
        cut_card_out: false,
        player: { cards: player, total: totalOf(player) },
        banker: { cards: banker, total: totalOf(banker) },
      },
    });
    const result = {
      ...round,
      cards_left: 41,
      cut_card_out: false,
      winner: "banker",
      natural: false,
      player_pair: true,
      banker_pair: false,
      player: { cards: ["2H", "2D", "6C"], total: 0 },
      banker: { cards: ["3H", "4D"], total: 7 },
    };
    expect(playRound(table)).toEqual([
      { type: "table.round_opened", data: { ...round, betting_ms: 10_000, closes_at: "2026-11-23T12:00:10.000Z" } },
      { type: "table.round_closed", data: round },
      card("player", 0, "2H", 45, ["2H"], []),
      card("banker", 0, "3H", 44, ["2H"], ["3H"]),
      card("player", 1, "2D", 43, ["2H", "2D"], ["3H"]),
      card("banker", 1, "4D", 42, ["2H", "2D"], ["3H", "4D"]),
      card("player", 2, "6C", 41, ["2H", "2D", "6C"], ["3H", "4D"]),
      { type: "table.result", data: result },
    ]);
    expect(table.state()).toEqual({
      type: "table.state",
      data: {
        shoe: 1,
        decks: 8,
        burn_card: "AS",
        burned: 1,
        void_round: 0,
        round: 1,
        cards_left: 41,
        cut_card_out: false,
        result,
        counts: { player: 0, banker: 1, tie: 0 },
        bead_plate: ["Bp"],
        big_road: { marks: [{ column: 0, row: 0, winner: "banker", ties: 0 }], opening_ties: 0 },
      },
    });
  });

  it("says which round is the last of the shoe, and begins the next one with nothing", () => {
    const table = new Table({ random: seeded(3) });
    table.changeShoe();
    const rounds: TableEvent[][] = [];
    while (!table.needsShoe) rounds.push(playRound(table));
    expect(rounds.length).toBeGreaterThan(60);
    expect(rounds.length).toBeLessThan(90);
    const last = rounds.map((events) =>
      events[0]?.type === "table.round_opened" ? events[0].data.last_of_shoe : null,
    );
    expect(last.indexOf(true)).toBe(rounds.length - 1);
    expect(table.state().data.bead_plate).toHaveLength(rounds.length);
    expect(table.changeShoe()).toMatchObject({ type: "table.shoe", data: { shoe: 2, void_round: 0 } });
    expect(table.state().data).toMatchObject({
      round: 0,
      result: null,
      bead_plate: [],
      counts: { player: 0, banker: 0, tie: 0 },
    });
  });

  it("has a state of a few kilobytes, even at the end of a shoe", () => {
    const table = new Table({ random: seeded(3) });
    table.changeShoe();
    while (!table.needsShoe) playRound(table);
    expect(JSON.stringify(table.state()).length).toBeLessThan(8 * 1024);
  });

  it.each<[EarlierRound, number]>([
    [{ shoe: 4, round: 9, settled: false }, 9],
    [{ shoe: 4, round: 9, settled: true }, 0],
  ])("goes on after %j with a new shoe", (last, voidRound) => {
    const table = new Table({ random: seeded(1), last });
    expect(table.changeShoe()).toMatchObject({ data: { shoe: 5, void_round: voidRound } });
  });

  it("refuses what cannot come next", () => {
    const table = new Table({ random: seeded(1) });
    expect(() => table.openRound(CLOSES, 1)).toThrow("shuffling");
    table.changeShoe();
    expect(() => table.dealCard()).toThrow("settled");
    table.openRound(CLOSES, 1);
    expect(() => table.settle()).toThrow("betting");
    expect(() => table.state()).toThrow("betting");
    expect(() => table.changeShoe()).toThrow("betting");
  });
});
