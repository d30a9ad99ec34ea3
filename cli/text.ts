import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampDate } from "@bufbuild/protobuf/wkt";

/** A column of a table. */
export interface Column<T> {
  readonly name: string;
  readonly value: (row: T) => string | number | bigint;
}

// Control characters, line separators and those that turn the direction of text: with them, what one user wrote could
// move the cursor, colour the screen or look like another's line.
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** A text that cannot disturb the terminal: what has no shape of its own is shown as an escape. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Rows under headings, columns aligned; `heading` styles the first line. */
export function table<T>(
  rows: readonly T[],
  columns: readonly Column<T>[],
  heading: (text: string) => string = (text) => text,
): string {
  const cells = rows.map((row) => columns.map(({ value }) => printable(String(value(row)))));
  const widths = columns.map(({ name }, index) =>
    Math.max(name.length, ...cells.map((line) => line[index]?.length ?? 0)),
  );
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, index) => text.padEnd(widths[index] ?? 0))
      .join("  ")
      .trimEnd();
  return [heading(line(columns.map(({ name }) => name.toUpperCase()))), ...cells.map(line)].join("\n");
}

/** Names and values, one a line. */
export function fields(values: Readonly<Record<string, string | number | bigint | boolean>>): string {
  const width = Math.max(...Object.keys(values).map((name) => name.length));
  return Object.entries(values)
    .map(([name, value]) => `${name.padEnd(width)}  ${printable(String(value))}`.trimEnd())
    .join("\n");
}

/** How many of something, such as `1 edge` or `2 edges`. */
export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

/** A time as RFC 3339 in UTC, or a dash. */
export function time(timestamp: Timestamp | undefined): string {
  return timestamp === undefined ? "-" : timestampDate(timestamp).toISOString();
}

/** A time of day as a clock beside the terminal shows it. */
export function clock(timestamp: Timestamp | undefined): string {
  if (timestamp === undefined) return "--:--:--";
  return timestampDate(timestamp).toTimeString().slice(0, 8);
}
