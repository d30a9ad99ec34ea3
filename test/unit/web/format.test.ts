import { describe, expect, it } from "vitest";
import {
  badge,
  bucketOf,
  characters,
  compactJson,
  dayLabel,
  duration,
  httpsHost,
  initials,
  listNames,
  plural,
  shortClock,
} from "../../../web/src/format.ts";

describe("times", () => {
  const now = new Date(2026, 2, 12, 9, 30).getTime();

  it("are named as shortly as is clear", () => {
    expect(dayLabel(now, now)).toBe("Today");
    expect(dayLabel(new Date(2026, 2, 11, 23, 59).getTime(), now)).toBe("Yesterday");
    expect(dayLabel(new Date(2026, 2, 8).getTime(), now)).toMatch(/^\p{L}+$/u);
    expect(dayLabel(new Date(2026, 0, 2).getTime(), now)).toMatch(/2/);
    expect(dayLabel(new Date(2026, 0, 2).getTime(), now)).not.toMatch(/2026/);
    expect(dayLabel(new Date(2024, 0, 2).getTime(), now)).toMatch(/2024/);
  });

  it("fit into the margin", () => {
    expect(shortClock(new Date(2026, 2, 12, 21, 5).getTime())).toMatch(/^\d\d.\d\d$/);
  });

  it.each([
    [-5, "0 s"],
    [12_400, "12 s"],
    [90_000, "2 min"],
    [3 * 3_600_000, "3 h"],
    [50 * 3_600_000, "2 d"],
  ])("last %d ms, which is %s", (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});

describe("names", () => {
  it.each([
    [[], ""],
    [["Ann"], "Ann"],
    [["Ann", "Bob"], "Ann and Bob"],
    [["Ann", "Bob", "Cem"], "Ann, Bob and Cem"],
    [["Ann", "Bob", "Cem", "Dee", "Eve"], "Ann, Bob and 3 others"],
  ])("of %j make %s", (names, text) => {
    expect(listNames(names)).toBe(text);
  });

  it.each([
    ["Ann", "A"],
    ["ann lee", "AL"],
    ["guest-1234", "G1"],
    ["  ", "?"],
    ["👩‍🚀 Zoë", "👩Z"],
  ])("%j is abbreviated as %s", (name, text) => {
    expect(initials(name)).toBe(text);
  });
});

describe("numbers", () => {
  it("are counted with their noun, and stay small in badges", () => {
    expect([plural(1, "message"), plural(2, "message"), plural(0, "member")]).toEqual([
      "1 message",
      "2 messages",
      "0 members",
    ]);
    expect([badge(7), badge(99), badge(100)]).toEqual(["7", "99", "99+"]);
  });

  it("count code points, as the server does", () => {
    expect(characters("añ👍")).toBe(3);
  });

  it("spread texts over buckets, always the same way", () => {
    expect(bucketOf("guest-1", 8)).toBe(bucketOf("guest-1", 8));
    expect(new Set(Array.from({ length: 100 }, (_, index) => bucketOf(`u-${index}`, 8))).size).toBe(8);
  });
});

describe("data", () => {
  it("is shown in one line, cut when it is long", () => {
    expect(compactJson({ winner: "banker", cards: [8, 1] })).toBe('{"winner":"banker","cards":[8,1]}');
    expect(compactJson(undefined)).toBe("null");
    expect(compactJson("x".repeat(500), 20)).toBe(`"${"x".repeat(18)}…`);
  });

  it("comes from an https host, or from nowhere", () => {
    expect(httpsHost("https://images.example.com:8443/a.png")).toBe("images.example.com:8443");
    for (const url of ["http://example.com/a.png", "javascript:alert(1)", "data:image/png,x", "nonsense", ""]) {
      expect(httpsHost(url), url).toBeUndefined();
    }
  });
});
