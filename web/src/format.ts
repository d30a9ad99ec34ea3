/** Texts and numbers as people read them. */

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const WEEKDAY = new Intl.DateTimeFormat(undefined, { weekday: "long" });
const DATE = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "long", timeStyle: "medium" });
const YEAR = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });

const DAY_MS = 86_400_000;
const MOST_SHOWN = 99;

/** Hours and minutes. `at` is in milliseconds, as everywhere here. */
export function clock(at: number): string {
  return CLOCK.format(at);
}

/** Hours and minutes, without AM or PM: for where it is narrow. */
export function shortClock(at: number): string {
  const parts = CLOCK.formatToParts(at).filter(({ type }) => type !== "dayPeriod");
  return parts
    .map(({ value }) => value)
    .join("")
    .trim();
}

/** Date and time in full, for tooltips. */
export function fullTime(at: number): string {
  return FULL.format(at);
}

/** Which calendar day it is here: equal for two times of one day. */
export function dayOf(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}

/** Today, Yesterday, Monday, 12 March, 12 March 2024: as short as is clear. */
export function dayLabel(at: number, now: number): string {
  // Rounded, since a day of a clock change has 23 or 25 hours.
  const days = Math.round((dayOf(now) - dayOf(at)) / DAY_MS);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  if (days > 1 && days < 7) return WEEKDAY.format(at);
  return new Date(at).getFullYear() === new Date(now).getFullYear() ? DATE.format(at) : YEAR.format(at);
}

/** A length of time in its largest unit: 4 s, 12 min, 3 h, 2 d. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** 1 message, 2 messages. */
export function plural(count: number, noun: string): string {
  return `${count.toLocaleString()} ${noun}${count === 1 ? "" : "s"}`;
}

/** A number that must stay small: 99+ above 99. */
export function badge(count: number): string {
  return count > MOST_SHOWN ? `${MOST_SHOWN}+` : String(count);
}

/** Ann · Ann and Bob · Ann, Bob and Cem · Ann, Bob and 4 others. */
export function listNames(names: readonly string[]): string {
  const shown = names.length > 3 ? [...names.slice(0, 2), `${names.length - 2} others`] : names;
  const last = shown.at(-1) ?? "";
  return shown.length < 2 ? last : `${shown.slice(0, -1).join(", ")} and ${last}`;
}

/** One or two letters that stand for a name. */
export function initials(name: string): string {
  const words = name.split(/[\s._-]+/u).filter((word) => word !== "");
  const letters = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
  return letters.map((word) => [...(word ?? "?")][0]?.toLocaleUpperCase() ?? "?").join("");
}

/** A number below `buckets`, the same for the same text everywhere. */
export function bucketOf(text: string, buckets: number): number {
  let hash = 0;
  for (const character of text) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return hash % buckets;
}

/** JSON in one line of at most `longest` characters. */
export function compactJson(value: unknown, longest = 160): string {
  const text = JSON.stringify(value) ?? "null";
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
}

/** Length in Unicode code points, which is what the server counts. */
export function characters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** Host of a URL, for telling where a picture would come from; undefined unless it is https. */
export function httpsHost(url: string): string | undefined {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  return parsed?.protocol === "https:" ? parsed.host : undefined;
}
