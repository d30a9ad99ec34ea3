import { describe, expect, it } from "vitest";
import { Coalesced } from "../../../broker/coalesced.ts";

/** A read whose answers the test gives. */
function heldReads() {
  const reads: PromiseWithResolvers<number>[] = [];
  const shared = new Coalesced(() => {
    const read = Promise.withResolvers<number>();
    reads.push(read);
    return read.promise;
  });
  return { reads, shared };
}

describe("Coalesced", () => {
  it("reads at once when nothing is under way", async () => {
    const { reads, shared } = heldReads();
    const answer = shared.run();
    reads[0]?.resolve(1);
    expect(await answer).toBe(1);
    expect(reads).toHaveLength(1);
  });

  it("gives everyone who asks during a read the answer of one read that began after they asked", async () => {
    const { reads, shared } = heldReads();
    const early = shared.run();
    const late = [shared.run(), shared.run(), shared.run()];
    expect(reads).toHaveLength(1);
    reads[0]?.resolve(1);
    expect(await early).toBe(1);
    expect(reads).toHaveLength(2);
    reads[1]?.resolve(2);
    expect(await Promise.all(late)).toEqual([2, 2, 2]);
    expect(reads).toHaveLength(2);
  });

  it("lets those who wait read even when the read before them fails", async () => {
    const { reads, shared } = heldReads();
    const early = shared.run();
    const late = shared.run();
    reads[0]?.reject(new Error("gone"));
    await expect(early).rejects.toThrow("gone");
    reads[1]?.resolve(2);
    expect(await late).toBe(2);
  });

  it("reads anew after everything is answered", async () => {
    let count = 0;
    const shared = new Coalesced(async () => ++count);
    expect([await shared.run(), await shared.run()]).toEqual([1, 2]);
  });
});
