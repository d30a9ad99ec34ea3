import { describe, expect, it } from "vitest";
import { Table } from "../../../web/src/table.ts";
import type { TableState } from "../../../web/src/table-fold.ts";
import {
  announcement,
  beadSummary,
  cardName,
  handText,
  phaseText,
  resultDetails,
  roadSummary,
  secondsLeft,
} from "../../../web/src/table-words.ts";
import { asRoomEvents, BETTING_MS, dealShoe } from "./tables.ts";

/** The table right after the nth event of a type. */
function tableAfter(type: string, nth = 1): TableState {
  const events = asRoomEvents(dealShoe());
  const found = events.filter(({ event }) => event.type === type)[nth - 1];
  const table = new Table();
  table.begin(
    [],
    events.filter(({ seq }) => found !== undefined && seq <= found.seq),
  );
  if (table.state === undefined) throw new Error(`no ${type}`);
  return table.state;
}

describe("a table in words", () => {
  it("names cards and hands", () => {
    expect(["AS", "TD", "KC", "7H"].map(cardName)).toEqual([
      "ace of spades",
      "10 of diamonds",
      "king of clubs",
      "7 of hearts",
    ]);
    expect(handText("banker", { cards: [], total: 0 })).toBe("Banker: no cards yet");
    expect(handText("player", { cards: ["AS", "KC"], total: 1 })).toBe("Player, 1 point: ace of spades, king of clubs");
  });

  it("says what is going on, and when the dealer is away", () => {
    const betting = tableAfter("table.round_opened");
    expect(secondsLeft(betting, betting.since)).toBe(BETTING_MS / 1_000);
    expect(secondsLeft(betting, betting.closesAt - 1)).toBe(1);
    expect(phaseText(betting, betting.closesAt - 1)).toBe("Place your guess");
    expect(secondsLeft(betting, betting.closesAt)).toBe(0);
    expect(phaseText(betting, betting.closesAt)).toBe("No more guesses");
    expect(phaseText(betting, betting.closesAt + 60_000)).toBe("Waiting for the dealer");
    const closed = tableAfter("table.round_closed");
    expect(phaseText(closed, closed.since)).toBe("No more guesses");
    const card = tableAfter("table.card");
    expect(phaseText(card, card.since)).toBe("Dealing");
    expect(phaseText(card, card.since + 60_000)).toBe("Waiting for the dealer");
    const fresh = tableAfter("table.shoe");
    expect(phaseText(fresh, fresh.since)).toBe("New shoe");
  });

  it("says how a round ended", () => {
    const state = tableAfter("table.result");
    const hands = { player: { cards: ["9H", "TD"], total: 9 }, banker: { cards: ["3H", "3D", "KS"], total: 6 } };
    const settled: TableState = { ...state, hands, result: { winner: "player", natural: false } };
    expect(phaseText(settled, settled.since)).toBe("Player wins");
    expect(resultDetails(settled)).toBe("9 to 6 · third card");
    expect(resultDetails({ ...settled, result: { winner: "player", natural: true } })).toContain("natural");
    expect(announcement(settled)).toBe(
      "Player wins, 9 to 6 · third card. Player, 9 points: 9 of hearts, 10 of diamonds. " +
        "Banker, 6 points: 3 of hearts, 3 of diamonds, king of spades.",
    );
  });

  it("announces a round, a result and a new shoe, and not each card", () => {
    expect(announcement(tableAfter("table.round_opened", 2))).toBe("Round 2. Guesses are taken for 12 seconds.");
    expect(announcement(tableAfter("table.card"))).toBe("");
    expect(announcement(tableAfter("table.shoe", 2))).toMatch(/^Shoe 2: the .* burns \d+ cards?\.$/);
  });

  it("sums the roads up", () => {
    const none = tableAfter("table.shoe");
    expect([beadSummary(none), roadSummary(none.marks)]).toEqual([
      "Bead plate: no rounds yet.",
      "Big road: no wins yet.",
    ]);
    const beads = ["player", "banker", "tie"].map((winner) => ({ winner, playerPair: false, bankerPair: false }));
    const state = { ...none, beads } as TableState;
    expect(beadSummary(state)).toBe("Bead plate, 3 rounds: player 1, banker 1, 1 tie. Latest: player, banker, tie.");
    const wins = (["banker", "banker", "player", "banker"] as const).map((winner, column) => ({
      winner,
      column,
      row: 0,
      ties: 0,
    }));
    expect(roadSummary(wins)).toBe("Big road, 3 streaks. Latest: banker 2, player 1, banker 1.");
  });
});
