import { describe, expect, it } from "vitest";
import { Gate } from "../../../broker/gate.ts";

describe("Gate", () => {
  it("runs as many as it may, the others in their order", async () => {
    const gate = new Gate({ running: 2, waiting: 10 });
    const started: number[] = [];
    const ends: (() => void)[] = [];
    const tasks = [0, 1, 2, 3].map((number) =>
      gate.run(async () => {
        started.push(number);
        await new Promise<void>((resolve) => ends.push(resolve));
        return number;
      }),
    );
    expect(started).toEqual([0, 1]);
    ends[0]?.();
    await tasks[0];
    expect(started).toEqual([0, 1, 2]);
    ends[1]?.();
    ends[2]?.();
    await Promise.all([tasks[1], tasks[2]]);
    ends[3]?.();
    expect(await Promise.all(tasks)).toEqual([0, 1, 2, 3]);
  });

  it("refuses whoever would be one too many to wait, and takes others once there is room", async () => {
    const gate = new Gate({ running: 1, waiting: 1 });
    const first = Promise.withResolvers<void>();
    const running = gate.run(() => first.promise);
    const waiting = gate.run(async () => "waited");
    await expect(gate.run(async () => "refused")).rejects.toMatchObject({ reason: "unavailable" });
    first.resolve();
    await running;
    expect(await waiting).toBe("waited");
    expect(await gate.run(async () => "taken")).toBe("taken");
  });

  it("hands the place over when a task fails", async () => {
    const gate = new Gate({ running: 1, waiting: 1 });
    const failing = gate.run(() => Promise.reject(new Error("no")));
    const next = gate.run(async () => "next");
    await expect(failing).rejects.toThrow("no");
    expect(await next).toBe("next");
  });
});
