import { plural } from "./format.ts";
import type { Card, Hand, HandName, RoadMark, Winner } from "./table-events.ts";
import type { TableState } from "./table-fold.ts";

/** A table in words: what is seen at a glance, for those who hear it. */

const RANKS: Readonly<Record<string, string>> = {
  A: "ace",
  T: "10",
  J: "jack",
  Q: "queen",
  K: "king",
};
const SUITS: Readonly<Record<string, string>> = { S: "spades", H: "hearts", D: "diamonds", C: "clubs" };
const NAMES: Readonly<Record<Winner, string>> = { player: "Player", banker: "Banker", tie: "Tie" };

/** A dealer who was not heard of for this long after the next word was due is away, in milliseconds. */
const AWAY_MS = 30_000;

/** Player, Banker, Tie. */
export function winnerName(winner: Winner): string {
  return NAMES[winner];
}

/** ace of spades. */
export function cardName(card: Card): string {
  const [rank = "", suit = ""] = card;
  return `${RANKS[rank] ?? rank} of ${SUITS[suit]}`;
}

/** Player, 7 points: 3 of clubs, 4 of hearts. */
export function handText(name: HandName, { cards, total }: Hand): string {
  if (cards.length === 0) return `${NAMES[name]}: no cards yet`;
  return `${NAMES[name]}, ${plural(total, "point")}: ${cards.map(cardName).join(", ")}`;
}

/** What the table is doing, in a few words. `now` is by the server's clock, in milliseconds, as everywhere here. */
export function phaseText(table: TableState, now: number): string {
  const { phase, closesAt, since } = table;
  if (now > Math.max(since, closesAt) + AWAY_MS) return "Waiting for the dealer";
  switch (phase) {
    case "shuffling":
      return table.ready === undefined ? "Waiting for the next hand" : "New shoe";
    case "betting":
      return secondsLeft(table, now) > 0 ? "Place your guess" : "No more guesses";
    case "dealing":
      return table.hands.player.cards.length === 0 ? "No more guesses" : "Dealing";
    case "settled":
      return resultText(table);
  }
}

/** Whole seconds until guesses end, the one that is running counted. */
export function secondsLeft({ phase, closesAt }: TableState, now: number): number {
  return phase === "betting" ? Math.max(0, Math.ceil((closesAt - now) / 1_000)) : 0;
}

/** Banker wins. */
export function resultText({ result }: TableState): string {
  if (result === undefined) return "Waiting for the next hand";
  return result.winner === "tie" ? "Tie" : `${NAMES[result.winner]} wins`;
}

/** 7 to 4 · natural · third card. */
export function resultDetails({ result, hands }: TableState): string {
  if (result === undefined) return "";
  const { player, banker } = hands;
  const [high, low] = [Math.max(player.total, banker.total), Math.min(player.total, banker.total)];
  const drew = player.cards.length + banker.cards.length > 4;
  return [`${high} to ${low}`, result.natural && "natural", drew && "third card"].filter(Boolean).join(" · ");
}

/** What is said aloud when the table goes on; empty for what is not worth interrupting. */
export function announcement(table: TableState): string {
  const { phase, round, bettingMs, hands, result } = table;
  if (phase === "shuffling") return newShoeText(table);
  if (phase === "betting")
    return `Round ${round}. Guesses are taken for ${plural(Math.round(bettingMs / 1_000), "second")}.`;
  if (result === undefined) return "";
  return `${resultText(table)}, ${resultDetails(table)}. ${handText("player", hands.player)}. ${handText("banker", hands.banker)}.`;
}

/** Shoe 3, 8 decks. The 7 of clubs burns 7 cards. */
export function newShoeText({ ready }: TableState): string {
  if (ready === undefined) return "";
  const { shoe, burnCard, burned, voidRound } = ready;
  const lost = voidRound === 0 ? "" : ` Round ${voidRound} of the shoe before is void.`;
  return `Shoe ${shoe}: the ${cardName(burnCard)} burns ${plural(burned, "card")}.${lost}`;
}

/** How many rounds each side won. */
export function countsOf({ beads }: TableState): Readonly<Record<Winner, number>> {
  const counts = { player: 0, banker: 0, tie: 0 };
  for (const { winner } of beads) counts[winner] += 1;
  return counts;
}

/** The bead plate in words: the totals, and the latest rounds. */
export function beadSummary(table: TableState): string {
  const { beads } = table;
  if (beads.length === 0) return "Bead plate: no rounds yet.";
  const { player, banker, tie } = countsOf(table);
  const latest = beads.slice(-6).map(({ winner }) => NAMES[winner].toLowerCase());
  const totals = `player ${player}, banker ${banker}, ${plural(tie, "tie")}`;
  return `Bead plate, ${plural(beads.length, "round")}: ${totals}. Latest: ${latest.join(", ")}.`;
}

/** The big road in words: the streak that runs, and those before it. */
export function roadSummary(marks: readonly RoadMark[]): string {
  const streaks: { winner: HandName; length: number }[] = [];
  for (const { winner } of marks) {
    const last = streaks.at(-1);
    if (last?.winner === winner) last.length += 1;
    else streaks.push({ winner, length: 1 });
  }
  const latest = streaks.slice(-5).map(({ winner, length }) => `${winner} ${length}`);
  if (latest.length === 0) return "Big road: no wins yet.";
  return `Big road, ${plural(streaks.length, "streak")}. Latest: ${latest.join(", ")}.`;
}
