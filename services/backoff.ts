/**
 * How long to wait before try number `attempt` (0 is the first repetition), in milliseconds: full jitter, so that those
 * who failed together do not come back together.
 */
export function backoffMs(attempt: number, options: { readonly baseMs: number; readonly maxMs: number }): number {
  return Math.random() * Math.min(options.maxMs, options.baseMs * 2 ** Math.min(attempt, 30));
}
