import { describe, expect, it } from "vitest";
import { Timeline } from "../../../web/src/timeline.ts";
import { layOut, type Row, type RowContext } from "../../../web/src/timeline-rows.ts";
import { custom, message, SELF } from "./events.ts";

const NOON = Date.parse("2026-03-01T12:00:00Z");

describe("the rows of a timeline", () => {
  it("give consecutive messages of one author one head, within five minutes", () => {
    const timeline = new Timeline();
    timeline.add(message(1, "a", { sent: "2026-03-01T12:00:00Z" }));
    timeline.add(message(2, "b", { sent: "2026-03-01T12:04:00Z" }));
    timeline.add(message(3, "c", { sent: "2026-03-01T12:10:00Z" }));
    timeline.add(message(4, "d", { uid: "u-bob", sent: "2026-03-01T12:10:30Z" }));
    timeline.add(custom(5, {}));
    timeline.add(message(6, "e", { uid: "u-bob", sent: "2026-03-01T12:11:00Z" }));
    expect(describeRows(timeline)).toEqual(["day Today", "A", "b", "C", "D", "table.result", "E"]);
  });

  it("continue one's own head with what is being sent", () => {
    const timeline = new Timeline();
    timeline.add(message(1, "a", { uid: SELF }));
    timeline.sending("k", "b", undefined, NOON + 1_000);
    expect(describeRows(timeline)).toEqual(["day Today", "A", "… b"]);
  });

  it("say when the day changes, and only onwards", () => {
    const timeline = new Timeline();
    timeline.add(message(1, "a", { sent: new Date(NOON - 2 * 86_400_000).toISOString() }));
    timeline.add(message(2, "b", { sent: new Date(NOON).toISOString() }));
    timeline.add(message(3, "c", { sent: new Date(NOON - 86_400_000).toISOString() }));
    const days = rowsOf(timeline).filter(({ kind }) => kind === "day");
    expect(days).toHaveLength(2);
    expect(new Set(rowsOf(timeline).map(({ key }) => key)).size).toBe(rowsOf(timeline).length);
  });

  it("say where new messages begin", () => {
    const timeline = new Timeline();
    for (const seq of [1, 2, 3]) timeline.add(message(seq, "abc"[seq - 1] ?? ""));
    expect(describeRows(timeline, { firstUnread: 2 })).toEqual(["day Today", "A", "unread", "B", "c"]);
  });

  it("say what was missed, once for each absence", () => {
    const timeline = new Timeline();
    for (const seq of [1, 2, 3, 4]) timeline.add(message(seq, "abcd"[seq - 1] ?? ""));
    timeline.markMissed(new Set([2, 3]), 1);
    const gaps = new Map([[1, { count: 2, awayMs: 12_000 }]]);
    expect(describeRows(timeline, { gaps })).toEqual([
      "day Today",
      "A",
      "2 messages recovered after 12 s away",
      "B",
      "c",
      "d",
    ]);
  });

  it("look different when what they show has changed, and the same otherwise", () => {
    const timeline = new Timeline();
    timeline.add(message(1, "a"));
    const before = rowsOf(timeline).at(-1);
    timeline.add(message(2, "b"));
    expect(rowsOf(timeline).find(({ key }) => key === before?.key)?.rev).toBe(before?.rev);
    timeline.markMissed(new Set([1]), 1);
    expect(rowsOf(timeline).find(({ key }) => key === before?.key)?.rev).not.toBe(before?.rev);
  });
});

function rowsOf(timeline: Timeline, context: Partial<RowContext> = {}): Row[] {
  const defaults = { selfUid: SELF, firstUnread: undefined, gaps: new Map(), now: NOON };
  return layOut(timeline.entries(), { ...defaults, ...context });
}

/** Messages in capitals have a head. */
function describeRows(timeline: Timeline, context: Partial<RowContext> = {}): string[] {
  return rowsOf(timeline, context).map((row) => {
    switch (row.kind) {
      case "message":
        return row.head ? row.entry.message.message.toUpperCase() : row.entry.message.message;
      case "outgoing":
        return `… ${row.head ? row.entry.text.toUpperCase() : row.entry.text}`;
      case "custom":
        return row.entry.event.type;
      case "day":
        return `day ${row.label}`;
      case "missed":
        return row.label;
      default:
        return row.kind;
    }
  });
}
