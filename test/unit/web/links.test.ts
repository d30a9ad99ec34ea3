import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { splitLinks } from "../../../web/src/links.ts";

describe("splitting a text at its addresses", () => {
  it.each([
    ["nothing here", []],
    ["see https://example.com/a?b=c#d.", ["https://example.com/a?b=c#d"]],
    ["(https://en.wikipedia.org/wiki/Baccarat_(card_game))", ["https://en.wikipedia.org/wiki/Baccarat_(card_game)"]],
    ["http://a.example, https://b.example!", ["http://a.example", "https://b.example"]],
    ["javascript:alert(1) data:text/html,x ftp://x.example https://", []],
    ['https://example.com/"onclick="x', ["https://example.com/"]],
  ])("finds those of %j", (text, links) => {
    expect(splitLinks(text).flatMap(({ href }) => href ?? [])).toEqual(links);
  });

  it("loses nothing, and follows only http and https", () => {
    const word = fc.oneof(fc.string(), fc.webUrl(), fc.constantFrom("https://", "javascript:x", "(", ")", " "));
    fc.assert(
      fc.property(fc.array(word), (words) => {
        const text = words.join("");
        const parts = splitLinks(text);
        expect(parts.map((part) => part.text).join("")).toBe(text);
        for (const { href } of parts) if (href !== undefined) expect(new URL(href).protocol).toMatch(/^https?:$/);
      }),
    );
  });
});
