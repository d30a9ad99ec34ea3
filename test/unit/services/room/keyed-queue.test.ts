import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { KeyedQueue } from "../../../../services/room/keyed-queue.ts";

describe("KeyedQueue", () => {
  it("runs tasks of one key in order and of different keys side by side", async () => {
    const queue = new KeyedQueue();
    const events: string[] = [];
    const gate = Promise.withResolvers<void>();
    const task = (name: string, wait: Promise<void>) => async () => {
      events.push(`${name} begins`);
      await wait;
      events.push(`${name} ends`);
    };
    const all = [
      queue.run("a", task("a1", gate.promise)),
      queue.run("a", task("a2", turn())),
      queue.run("b", task("b1", turn())),
    ];
    await all[2];
    expect(events).toEqual(["a1 begins", "b1 begins", "b1 ends"]);
    gate.resolve();
    await Promise.all(all);
    expect(events.slice(3)).toEqual(["a1 ends", "a2 begins", "a2 ends"]);
    await queue.settled();
    expect(queue.size).toBe(0);
  });

  it("goes on after a task that failed, whose caller hears of it", async () => {
    const queue = new KeyedQueue();
    const failing = queue.run("a", () => Promise.reject(new Error("no")));
    const next = queue.run("a", async () => "yes");
    await expect(failing).rejects.toThrow("no");
    expect(await next).toBe("yes");
  });
});
