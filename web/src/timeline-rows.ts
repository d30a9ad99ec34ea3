import { dayLabel, dayOf, duration, plural } from "./format.ts";
import type { CustomEntry, Entry, MessageEntry, NoteEntry, OutgoingEntry, PresenceEntry } from "./timeline.ts";

/** A line of a timeline. Two rows of the same key stand for the same thing; with the same `rev` they look the same. */
export type Row = { readonly key: string; readonly rev: string } & (
  | { readonly kind: "day"; readonly label: string }
  | { readonly kind: "unread" }
  | { readonly kind: "missed"; readonly label: string }
  | { readonly kind: "message"; readonly entry: MessageEntry; readonly head: boolean; readonly own: boolean }
  | { readonly kind: "outgoing"; readonly entry: OutgoingEntry; readonly head: boolean }
  | { readonly kind: "custom"; readonly entry: CustomEntry }
  | { readonly kind: "presence"; readonly entry: PresenceEntry }
  | { readonly kind: "note"; readonly entry: NoteEntry }
);

/** What rows depend on beside the entries. */
export interface RowContext {
  readonly selfUid: string;
  /** Seq of the first message that is new to the reader; undefined when none is. */
  readonly firstUnread: number | undefined;
  /** Absences, by number: how many events were missed, and for how long, in milliseconds. */
  readonly gaps: ReadonlyMap<number, Gap>;
  readonly now: number;
}

/** An absence that was made up for. */
export interface Gap {
  readonly count: number;
  readonly awayMs: number;
}

/** Messages of one author closer together than this share a head. */
const SHARED_HEAD_MS = 5 * 60_000;

/** Lays entries out: one row each, and between them the days, where new messages begin, and what was missed. */
export function layOut(entries: readonly Entry[], context: RowContext): Row[] {
  const rows: Row[] = [];
  let day: number | undefined;
  let gap = 0;
  let author: Author | undefined;
  for (const entry of entries) {
    const at = timeOf(entry);
    // Only onwards: this page's clock and the server's may differ around midnight.
    if (at !== undefined && dayOf(at) > (day ?? 0)) {
      day = dayOf(at);
      author = undefined;
      const label = dayLabel(at, context.now);
      rows.push({ kind: "day", key: `day-${day}`, rev: label, label });
    }
    if ("seq" in entry && entry.seq === context.firstUnread) {
      author = undefined;
      rows.push({ kind: "unread", key: "unread", rev: "" });
    }
    const missed = "gap" in entry && entry.gap !== 0 && entry.gap !== gap ? context.gaps.get(entry.gap) : undefined;
    if ("gap" in entry) gap = entry.gap;
    if (missed !== undefined) {
      author = undefined;
      const label = `${plural(missed.count, "message")} recovered after ${duration(missed.awayMs)} away`;
      rows.push({ kind: "missed", key: `missed-${gap}`, rev: label, label });
    }
    const next = authorOf(entry, context.selfUid);
    rows.push(rowOf(entry, !sharesHead(author, next), context.selfUid));
    author = next;
  }
  return rows;
}

interface Author {
  readonly uid: string;
  readonly name: string | undefined;
  readonly at: number;
}

function authorOf(entry: Entry, selfUid: string): Author | undefined {
  if (entry.kind === "outgoing") return { uid: selfUid, name: undefined, at: entry.at };
  if (entry.kind !== "message" || entry.deleted) return undefined;
  return { uid: entry.message.uid, name: nameOf(entry), at: Date.parse(entry.message.sent) };
}

function sharesHead(one: Author | undefined, next: Author | undefined): boolean {
  if (!one || !next || one.uid !== next.uid || next.at - one.at > SHARED_HEAD_MS) return false;
  return one.name === undefined || next.name === undefined || one.name === next.name;
}

/** Name a message is shown under: the one its sender gave for it, else the sender's. */
export function nameOf({ message }: MessageEntry): string {
  return message.from ?? message.username;
}

function timeOf(entry: Entry): number | undefined {
  switch (entry.kind) {
    case "message":
      return Date.parse(entry.message.sent);
    case "custom":
      return Date.parse(entry.event.sent);
    case "note":
      return undefined;
    default:
      return entry.at;
  }
}

function rowOf(entry: Entry, head: boolean, selfUid: string): Row {
  switch (entry.kind) {
    case "message": {
      const own = entry.message.uid === selfUid;
      const rev = `${head} ${entry.deleted} ${entry.gap} ${own}`;
      return { kind: "message", key: `seq-${entry.seq}`, rev, entry, head, own };
    }
    case "outgoing":
      return { kind: "outgoing", key: `out-${entry.id}`, rev: `${head} ${entry.failed ?? ""}`, entry, head };
    case "custom":
      return { kind: "custom", key: `seq-${entry.seq}`, rev: String(entry.gap), entry };
    case "presence":
      return { kind: "presence", key: `local-${entry.id}`, rev: "", entry };
    case "note":
      return { kind: "note", key: `local-${entry.id}`, rev: "", entry };
  }
}
