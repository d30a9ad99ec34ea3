import { describe, expect, it } from "vitest";
import { type Card, Shoe } from "../../../../examples/dealer/shoe.ts";
import { Table, type TableEvent, type TableState } from "../../../../examples/dealer/table.ts";
import { seeded } from "./seeded.ts";

const CLOSES = Date.parse("2026-11-23T12:00:10Z");

/** A shoe whose first card burns one, and whose next cards are these. */
function stacked(...cards: Card[]): Shoe {
  const rest = Array.from({ length: 40 }, (): Card => "KS");
  return new Shoe(["AS", "2S", ...cards, ...rest]);
}

function playRound(table: Table): TableEvent[] {
  const events = [table.openRound(CLOSES, 10_000), table.closeRound()];
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
    const round = { shoe: 1, round: 1 };
    const card = { ...round, cut_card_out: false };
    expect(playRound(table)).toEqual([
      {
        type: "table.round_opened",
        data: { ...round, betting_ms: 10_000, closes_at: "2026-11-23T12:00:10.000Z", last_of_shoe: false },
      },
      { type: "table.round_closed", data: round },
      { type: "table.card", data: { ...card, hand: "player", index: 0, card: "2H", total: 2, cards_left: 45 } },
      { type: "table.card", data: { ...card, hand: "banker", index: 0, card: "3H", total: 3, cards_left: 44 } },
      { type: "table.card", data: { ...card, hand: "player", index: 1, card: "2D", total: 4, cards_left: 43 } },
      { type: "table.card", data: { ...card, hand: "banker", index: 1, card: "4D", total: 7, cards_left: 42 } },
      { type: "table.card", data: { ...card, hand: "player", index: 2, card: "6C", total: 0, cards_left: 41 } },
      {
        type: "table.result",
        data: {
          ...round,
          winner: "banker",
          natural: false,
          player_pair: true,
          banker_pair: false,
          player: { cards: ["2H", "2D", "6C"], total: 0 },
          banker: { cards: ["3H", "4D"], total: 7 },
        },
      },
    ]);
    expect(table.state()).toMatchObject({
      phase: "settled",
      ...round,
      closes_at: "",
      counts: { player: 0, banker: 1, tie: 0 },
      bead_plate: [{ column: 0, row: 0, winner: "banker", player_pair: true, banker_pair: false }],
      big_road: { marks: [{ column: 0, row: 0, winner: "banker", ties: 0 }], opening_ties: 0 },
    });
  });

  it("shows a half dealt round in its state", () => {
    const table = new Table({ random: seeded(1) });
    table.changeShoe(stacked("9H", "3H"));
    expect(table.state()).toMatchObject({ phase: "settled", round: 0, result: null });
    table.openRound(CLOSES, 10_000);
    expect(table.state()).toMatchObject({ phase: "betting", closes_at: "2026-11-23T12:00:10.000Z" });
    table.closeRound();
    table.dealCard();
    table.dealCard();
    expect(table.state()).toMatchObject({
      phase: "dealing",
      round: 1,
      player: { cards: ["9H"], total: 9 },
      banker: { cards: ["3H"], total: 3 },
      result: null,
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
    expect(table.state().bead_plate).toHaveLength(rounds.length);
    expect(table.changeShoe()).toMatchObject({ type: "table.shoe", data: { shoe: 2, void_round: 0 } });
    expect(table.state()).toMatchObject({ round: 0, bead_plate: [], counts: { player: 0, banker: 0, tie: 0 } });
  });

  it("never makes an event that is too large, even at the end of a shoe", () => {
    const table = new Table({ random: seeded(3) });
    table.changeShoe();
    while (!table.needsShoe) playRound(table);
    expect(JSON.stringify(table.state()).length).toBeLessThan(32 * 1024);
  });

  it.each<[Pick<TableState, "shoe" | "round" | "phase">, number]>([
    [{ shoe: 4, round: 9, phase: "dealing" }, 9],
    [{ shoe: 4, round: 9, phase: "betting" }, 9],
    [{ shoe: 4, round: 9, phase: "settled" }, 0],
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
    expect(() => table.changeShoe()).toThrow("betting");
  });
});
