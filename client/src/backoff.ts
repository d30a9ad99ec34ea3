/** When to come back, and whether to come back at all. */

const FIRST_MS = 300;
const LONGEST_MS = 20_000;

/** Full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"): anything between 0 and the doubled bound, so that a thousand clients do not come back at once. */
export function backoffMs(attempt: number, random: () => number): number {
  return Math.round(random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 16)));
}

/** The protocol's rule: 4500–4999 mean stop, everything else means reconnect. */
export function mayReconnect(code: number): boolean {
  return code < 4500 || code > 4999;
}

/** Close code `unauthenticated`: worth one more try when there is a new token to be had. */
export const UNAUTHENTICATED = 4501;

/** Sent when this client leaves in order to come back at once: not 1000, which would be a clean leave of every room. */
export const COMING_BACK = 4000;
