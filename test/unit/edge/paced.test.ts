import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Paced } from "../../../edge/paced.ts";

/** Items that take a millisecond each, by a clock of their own. */
function setUp(options: { readonly sliceMs?: number; readonly max?: number } = {}) {
  const done: string[] = [];
  let now = 0;
  const paced = new Paced<string>({
    sliceMs: 3,
    max: 100,
    ...options,
    run(item) {
      now++;
      done.push(item);
    },
    now: () => now,
  });
  return { paced, done };
}

describe("Paced", () => {
  it("does some in a turn, in order, and lets others have their turn in between", async () => {
    const { paced, done } = setUp();
    for (const item of "abcdefgh") paced.push(item);
    expect(done).toEqual([]);
    const seen: string[] = [];
    while (done.length < 8) {
      await nextTurn();
      seen.push(done.join(""));
    }
    expect(seen).toEqual(["abc", "abcdef", "abcdefgh"]);
    paced.push("i");
    await nextTurn();
    expect(done.join("")).toBe("abcdefghi");
  });

  it("does one in a turn when each takes longer than that", async () => {
    const { paced, done } = setUp({ sliceMs: 0 });
    for (const item of "ab") paced.push(item);
    await nextTurn();
    expect(done).toEqual(["a"]);
    await nextTurn();
    expect(done).toEqual(["a", "b"]);
  });

  it("takes no more than may wait", async () => {
    const { paced, done } = setUp({ max: 2 });
    expect([..."abc"].map((item) => paced.push(item))).toEqual([true, true, false]);
    await nextTurn();
    expect(done).toEqual(["a", "b"]);
    expect(paced.push("d")).toBe(true);
  });

  it("gives back what waited when it is closed", async () => {
    const { paced, done } = setUp();
    for (const item of "ab") paced.push(item);
    expect(paced.close()).toEqual(["a", "b"]);
    await nextTurn();
    expect(done).toEqual([]);
  });
});
