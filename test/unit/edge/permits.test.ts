import { describe, expect, it } from "vitest";
import { Permits } from "../../../edge/permits.ts";

describe("permits", () => {
  it("asks once, also for those who come while the answer is on its way, and keeps their order", async () => {
    const permits = new Permits({ max: 2 });
    const { promise, resolve } = Promise.withResolvers<void>();
    const order: number[] = [];
    let asked = 0;
    const ask = () => {
      asked++;
      return promise;
    };
    const needed = [1, 2, 3].map((n) => permits.need("a", ask).then(() => order.push(n)));
    resolve();
    await Promise.all(needed);
    await permits.need("a", ask);
    expect({ asked, order }).toEqual({ asked: 1, order: [1, 2, 3] });
  });

  it("asks again after a refusal", async () => {
    const permits = new Permits({ max: 2 });
    await expect(permits.need("a", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    await permits.need("a", () => Promise.resolve());
  });

  it("forgets what was not used for longest", async () => {
    const permits = new Permits({ max: 2 });
    const asked: string[] = [];
    const need = (key: string) =>
      permits.need(key, () => {
        asked.push(key);
        return Promise.resolve();
      });
    for (const key of ["a", "b", "a", "c", "a", "b"]) await need(key);
    expect(asked).toEqual(["a", "b", "c", "b"]);
  });
});
