import { describe, expect, it } from "vitest";
import { loadSessionKey } from "../../../edge/session-key.ts";
import { openTestBroker } from "../services/room/replica.ts";

describe("the key of guests' sessions", () => {
  it("is the same for all who ask, also at once, and not weak", async () => {
    const { control } = await openTestBroker();
    const keys = await Promise.all([1, 2, 3].map(() => loadSessionKey(control)));
    keys.push(await loadSessionKey(control));
    expect(new Set(keys.map((key) => Buffer.from(key).toString("hex"))).size).toBe(1);
    expect(keys[0]).toHaveLength(32);
  });
});
