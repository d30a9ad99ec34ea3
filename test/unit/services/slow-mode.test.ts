import { describe, expect, it } from "vitest";
import { RoomError } from "../../../services/errors.ts";
import { SlowMode } from "../../../services/slow-mode.ts";

const stored = () => Promise.resolve();
const lost = () => Promise.reject(new RoomError("unavailable", "gone"));

describe("slow mode", () => {
  it("lets one message of each user through per interval", async () => {
    const slow = new SlowMode();
    await slow.pace("ann", 60_000, stored);
    await slow.pace("bob", 60_000, stored);
    expect(() => slow.pace("ann", 60_000, stored)).toThrow(
      expect.objectContaining({ reason: "rate_limited", retryAfterMs: expect.closeTo(60_000, -3) }),
    );
    await slow.pace("ann", 0, stored);
  });

  it("does not count what was not stored", async () => {
    const slow = new SlowMode();
    await expect(slow.pace("ann", 60_000, lost)).rejects.toMatchObject({ reason: "unavailable" });
    await slow.pace("ann", 60_000, stored);
  });

  it("remembers those whose time is not up, however many there are, and holds them to the interval of now", async () => {
    const slow = new SlowMode();
    for (let n = 0; n < 3_000; n++) await slow.pace(`user-${n}`, n % 2 === 0 ? 60_000 : 0, stored);
    expect(() => slow.pace("user-0", 60_000, stored)).toThrow(expect.objectContaining({ reason: "rate_limited" }));
    await slow.pace("user-1", 0, stored);
    await slow.pace("user-2", 0, stored);
  });

  it("forgets users whose time is up", async () => {
    const slow = new SlowMode();
    for (let n = 0; n < 3_000; n++) await slow.pace(`user-${n}`, 0, stored);
    await slow.pace("user-0", 60_000, stored);
  });
});
