import { describe, expect, it } from "vitest";
import type { Room } from "../../../client/src/index.ts";
import { describeMute, Rules } from "../../../web/src/rules.ts";

const PLAIN = { roomId: "lobby", title: "", frozen: false, slowModeMs: 0, private: false, capacity: 0, metadata: {} };
const NOW = new Date(2023, 11, 4, 12).getTime();
const at = (hours: number): string => new Date(2023, 11, 4, hours, 30).toISOString();

function rulesOf(settings: Partial<typeof PLAIN>, more: Partial<Pick<Room, "moderator" | "muted">> = {}): Rules {
  const rules = new Rules();
  rules.follow({ settings: { ...PLAIN, ...settings }, moderator: false, muted: undefined, ...more });
  return rules;
}

describe("what limits writing in a room", () => {
  it("is nothing in most rooms, and in conversations", () => {
    expect(new Rules().current(NOW)).toBeUndefined();
    expect(rulesOf({}).current(NOW)).toBeUndefined();
    expect(rulesOf({}).marks).toEqual([]);
  });

  it("is a frozen room for all but moderators", () => {
    expect(rulesOf({ frozen: true }).current(NOW)).toMatchObject({ kind: "frozen", stops: "all" });
    expect(rulesOf({ frozen: true, slowModeMs: 5_000 }, { moderator: true }).current(NOW)).toBeUndefined();
    expect(rulesOf({ frozen: true, slowModeMs: 5_000 }).marks).toEqual(["Frozen", "Slow mode 5 s"]);
  });

  it("is a mute, for moderators too, and says until when", () => {
    const muted = { until: at(13) };
    const rule = rulesOf({}, { muted, moderator: true }).current(NOW);
    expect(rule).toMatchObject({ kind: "muted", stops: "all", changesInMs: 5_400_000 });
    expect(rule?.text).toMatch(/^You are muted until (13|01):30( PM)?\.$/);
    const forGood = rulesOf({}, { muted: { until: null } }).current(NOW);
    expect(forGood).toMatchObject({ text: "You are muted until a moderator lifts it.", changesInMs: undefined });
    expect(rulesOf({}, { muted: { until: at(36) } }).current(NOW)?.text).toMatch(/ until December 5, .*12:30/);
  });

  it("is slow mode for as long as it takes, counted from the last message", () => {
    const rules = rulesOf({ slowModeMs: 5_000 });
    expect(rules.current(NOW)).toMatchObject({ kind: "slow", stops: "nothing", countdown: "" });
    rules.sent(NOW);
    const waiting = { stops: "sending", countdown: "Next one in 4 s.", changesInMs: 500 };
    expect(rules.current(NOW + 1_500)).toMatchObject(waiting);
    expect(rules.current(NOW + 5_000)).toMatchObject({ stops: "nothing", changesInMs: undefined });
  });

  it("is told in words when it changes", () => {
    const rules = rulesOf({});
    const slow = { ...PLAIN, title: "Table 7", slowModeMs: 60_000 };
    expect(rules.updated(slow)).toEqual(["The room is now called “Table 7”.", "Slow mode: one message every 1 min."]);
    expect(rules.updated({ ...slow, frozen: true })).toEqual(["The room was frozen: only moderators write."]);
    expect(rules.updated(PLAIN)).toEqual([
      "The room has no title any more.",
      "The room is open again.",
      "Slow mode is off.",
    ]);
    expect(rules.updated({ ...PLAIN, capacity: 3 })).toEqual([]);
    const about = { uid: "u-ann", by: "mo" };
    expect(describeMute({ ...about, muted: true, until: null, reason: "spam" }, "Ann", NOW)).toBe(
      "Ann was muted: spam",
    );
    expect(describeMute({ ...about, muted: false, until: null }, undefined, NOW)).toBe("You may write again.");
  });
});
