import { describe, expect, it } from "vitest";
import { Limiter } from "../../../edge/limiter.ts";

describe("a limiter", () => {
  it("runs so many at a time, in order, and goes on after a failure", async () => {
    const limiter = new Limiter(2);
    const started: number[] = [];
    const gates = [0, 1, 2, 3].map(() => Promise.withResolvers<number>());
    const tasks = gates.map(({ promise }, index) =>
      limiter.run(() => {
        started.push(index);
        return promise;
      }),
    );
    await Promise.resolve();
    expect(started).toEqual([0, 1]);
    gates[1]?.reject(new Error("no"));
    await expect(tasks[1]).rejects.toThrow("no");
    await Promise.resolve();
    expect(started).toEqual([0, 1, 2]);
    for (const [index, gate] of gates.entries()) gate.resolve(index);
    expect(await Promise.all([tasks[0], tasks[2], tasks[3]])).toEqual([0, 2, 3]);
  });
});
