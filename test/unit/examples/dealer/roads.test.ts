import { describe, expect, it } from "vitest";
import { beadPlate, bigRoad, type Outcome } from "../../../../examples/dealer/roads.ts";

const WINNERS = { P: "player", B: "banker", T: "tie" } as const;

/** `PBT`: player, banker, tie. */
function outcomes(letters: string): Outcome[] {
  return [...letters].map((letter) => ({
    winner: WINNERS[letter as keyof typeof WINNERS],
    player_pair: false,
    banker_pair: false,
  }));
}

/** The big road as it is drawn: rows of letters, a digit after a letter counts its ties. */
function drawn(letters: string): string[] {
  const { marks } = bigRoad(outcomes(letters));
  const width = Math.max(...marks.map((mark) => mark.column)) + 1;
  const height = Math.max(...marks.map((mark) => mark.row)) + 1;
  return Array.from({ length: height }, (_, row) =>
    Array.from({ length: width }, (_, column) => {
      const mark = marks.find((candidate) => candidate.row === row && candidate.column === column);
      return mark === undefined ? "." : mark.ties > 0 ? `${mark.ties}` : mark.winner === "player" ? "P" : "B";
    }).join(""),
  );
}

describe("the bead plate", () => {
  it("has every round in order, ties included", () => {
    expect(beadPlate(outcomes("PBTPBTP"))).toEqual(["P", "B", "T", "P", "B", "T", "P"]);
  });

  it("keeps pairs", () => {
    const pairs = [
      [true, false],
      [false, true],
      [true, true],
    ] as const;
    const plate = beadPlate(pairs.map(([player_pair, banker_pair]) => ({ winner: "tie", player_pair, banker_pair })));
    expect(plate).toEqual(["Tp", "Tb", "Tpb"]);
  });
});

describe("the big road", () => {
  it.each<[string, string[]]>([
    ["P", ["P"]],
    ["PPP", ["P", "P", "P"]],
    ["PBP", ["PBP"]],
    ["PPBBB", ["PB", "PB", ".B"]],
    ["PTTB", ["2B"]],
    ["PPTB", ["PB", "1."]],
    // A streak of eight goes along the bottom.
    ["PPPPPPPP", ["P..", "P..", "P..", "P..", "P..", "PPP"]],
    // The next streak meets that tail one row higher, and turns there.
    ["PPPPPPPPBBBBBBB", ["PB..", "PB..", "PB..", "PB..", "PBBB", "PPP."]],
    // A streak beside a tail begins in its own column, however long the tail.
    ["PPPPPPPPBP", ["PBP", "P..", "P..", "P..", "P..", "PPP"]],
  ])("of %s", (letters, expected) => expect(drawn(letters)).toEqual(expected));

  it("counts ties before the first win apart", () => {
    expect(bigRoad(outcomes("TTP"))).toMatchObject({ opening_ties: 2, marks: [{ ties: 0 }] });
    expect(bigRoad(outcomes("TT"))).toEqual({ opening_ties: 2, marks: [] });
    expect(bigRoad([])).toEqual({ opening_ties: 0, marks: [] });
  });

  it("never puts two marks in one place, nor one outside, whatever comes", () => {
    for (let pattern = 0; pattern < 2 ** 10; pattern += 1) {
      const letters = pattern.toString(2).padStart(10, "0").replaceAll("0", "PPP").replaceAll("1", "BBBB");
      const { marks } = bigRoad(outcomes(letters));
      expect(new Set(marks.map(({ column, row }) => `${column},${row}`)).size).toBe(marks.length);
      expect(marks.every(({ row }) => row >= 0 && row < 6)).toBe(true);
    }
  });
});
