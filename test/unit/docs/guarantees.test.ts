import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../support/process.ts";

const document = readFileSync(join(ROOT, "docs/guarantees.md"), "utf8");
const rows = document.split("\n").filter((line) => /^\| \d+ \|/.test(line));

/** Every file a row names, with the titles that follow it. */
const shown = rows.flatMap((row) =>
  row
    .split("[`")
    .slice(1)
    .map((part) => ({
      file: part.slice(0, part.indexOf("`")),
      titles: [...part.matchAll(/"([^"]+)"/g)].map(([, title = ""]) => title),
    })),
);

describe("docs/guarantees.md", () => {
  it("lists all twelve", () => expect(rows).toHaveLength(12));

  it.each(shown)("$file has the tests it is said to have", ({ file, titles }) => {
    const source = readFileSync(join(ROOT, file), "utf8");
    for (const title of titles) expect(source).toContain(`"${title}"`);
  });
});
