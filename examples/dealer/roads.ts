import type { Winner } from "./rules.ts";

// Names are those of the JSON that is published.

/** Rows of every road. Columns have no end: who draws one shows the latest that fit. */
export const ROWS = 6;

/** A round as roads show it. */
export interface Outcome {
  readonly winner: Winner;
  readonly player_pair: boolean;
  readonly banker_pair: boolean;
}

/** A place in a road, both from 0. */
export interface Place {
  readonly column: number;
  readonly row: number;
}

/** A round on the bead plate: `P`, `B` or `T` for who won, then `p` and `b` for a pair of the player's and the banker's. */
export type Bead = `${"P" | "B" | "T"}${"" | "p"}${"" | "b"}`;

/** A win on the big road, and how many ties followed it before the next win. */
export interface RoadMark extends Place {
  readonly winner: "player" | "banker";
  readonly ties: number;
}

/** The big road. */
export interface BigRoad {
  readonly marks: readonly RoadMark[];
  /** Ties before the first win, which have no mark to stand on. */
  readonly opening_ties: number;
}

const LETTERS = { player: "P", banker: "B", tie: "T" } as const;

/** Every round in the order played: drawn in columns of ROWS, each filled from the top. */
export function beadPlate(outcomes: readonly Outcome[]): Bead[] {
  return outcomes.map(
    ({ winner, player_pair, banker_pair }): Bead =>
      `${LETTERS[winner]}${player_pair ? "p" : ""}${banker_pair ? "b" : ""}`,
  );
}

/**
 * Wins only, one column for each streak. A streak that meets the bottom, or an earlier streak's tail, goes on to the
 * right (the dragon's tail); the next one begins at the top of the first column that is free there.
 */
export function bigRoad(outcomes: readonly Outcome[]): BigRoad {
  const marks: RoadMark[] = [];
  const taken = new Set<string>();
  const isFree = ({ column, row }: Place): boolean => row < ROWS && !taken.has(`${column},${row}`);
  let openingTies = 0;
  let head = -1;
  let turned = false;
  for (const { winner } of outcomes) {
    const last = marks.at(-1);
    if (winner === "tie") {
      if (last) marks[marks.length - 1] = { ...last, ties: last.ties + 1 };
      else openingTies += 1;
      continue;
    }
    let place: Place;
    if (last?.winner === winner) {
      const below = { column: last.column, row: last.row + 1 };
      turned ||= !isFree(below);
      place = turned ? { column: last.column + 1, row: last.row } : below;
    } else {
      do head += 1;
      while (!isFree({ column: head, row: 0 }));
      place = { column: head, row: 0 };
      turned = false;
    }
    taken.add(`${place.column},${place.row}`);
    marks.push({ ...place, winner, ties: 0 });
  }
  return { marks, opening_ties: openingTies };
}
