import type { Winner } from "./table-events.ts";
import type { TableState } from "./table-fold.ts";

/** What the user guesses, for the fun of it: it stays in this page, and nothing hangs on it. */
export class Guesses {
  #guess: { readonly shoe: number; readonly round: number; readonly winner: Winner } | undefined;
  #counted = true;
  #right = 0;
  #made = 0;

  /** Guesses that were right, of all whose rounds are over. A tie decides only guesses of a tie, as in the game. */
  get tally(): { readonly right: number; readonly made: number } {
    return { right: this.#right, made: this.#made };
  }

  /** The guess for this round; undefined when there is none. */
  of({ shoe, round }: Pick<TableState, "shoe" | "round">): Winner | undefined {
    return this.#guess?.shoe === shoe && this.#guess.round === round ? this.#guess.winner : undefined;
  }

  /** Guesses, or takes the same guess back. Heard only while guesses are taken. */
  make(table: TableState, winner: Winner): void {
    if (table.phase !== "betting") return;
    const { shoe, round } = table;
    this.#guess = this.of(table) === winner ? undefined : { shoe, round, winner };
    this.#counted = false;
  }

  /** The table went on: counts the guess once its round is settled. */
  follow(table: TableState): void {
    const guess = this.of(table);
    if (guess === undefined || table.result === undefined || this.#counted) return;
    this.#counted = true;
    const { winner } = table.result;
    if (winner === "tie" && guess !== "tie") return;
    this.#made += 1;
    if (guess === winner) this.#right += 1;
  }
}
