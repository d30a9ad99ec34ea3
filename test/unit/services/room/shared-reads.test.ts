import { describe, expect, it } from "vitest";
import { SharedReads } from "../../../../services/room/shared-reads.ts";

describe("SharedReads", () => {
  it("gives those who come while a read is under way the next one, together", async () => {
    const gates: PromiseWithResolvers<number>[] = [];
    const load = (): Promise<number> => {
      const gate = Promise.withResolvers<number>();
      gates.push(gate);
      return gate.promise;
    };
    const reads = new SharedReads<number>();
    const first = reads.read("k", load);
    const later = [reads.read("k", load), reads.read("k", load)];
    const other = reads.read("other", load);
    expect(gates).toHaveLength(2);
    gates[0]?.resolve(1);
    gates[1]?.resolve(9);
    expect(await first).toBe(1);
    expect(await other).toBe(9);
    expect(gates).toHaveLength(3);
    gates[2]?.resolve(2);
    expect(await Promise.all(later)).toEqual([2, 2]);
    const fresh = reads.read("k", load);
    gates[3]?.resolve(3);
    expect(await fresh).toBe(3);
  });

  it("does not let a failed read fail the next one", async () => {
    const reads = new SharedReads<number>();
    const failing = reads.read("k", () => Promise.reject(new Error("no")));
    const next = reads.read("k", async () => 2);
    await expect(failing).rejects.toThrow("no");
    expect(await next).toBe(2);
  });
});
