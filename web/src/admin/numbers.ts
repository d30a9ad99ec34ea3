/** Numbers as they are read at a glance. */

const WHOLE = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const COMPACT = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const LONGEST_WHOLE = 99_999;

/** 12,345, and 1.2M where that would be too long. */
export function count(value: number): string {
  return value > LONGEST_WHOLE ? COMPACT.format(value) : WHOLE.format(value);
}

/** 0, 0.4, 3.2, 48, 1,250: with a digit after the point only where it says something. */
export function rate(value: number): string {
  if (value === 0) return "0";
  return value < 10 ? String(Math.max(0.1, Math.round(value * 10) / 10)) : count(value);
}

/** 0.4 ms, 12 ms, 1.3 s. */
export function milliseconds(value: number): string {
  return value < 1_000 ? `${rate(value)} ms` : `${rate(value / 1_000)} s`;
}
