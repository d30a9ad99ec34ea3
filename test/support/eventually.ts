import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";

/** How long a wait may take unless it says otherwise, in milliseconds: generous, since it is no promise of the product. */
export const PATIENCE_MS = 10_000;

const POLL_MS = 20;

/**
 * Polls until `probe` returns something other than undefined and false, and returns that.
 * @throws Error naming `what` and the last state seen, once `withinMs` have passed; whatever the probe threw last is its cause.
 */
export async function eventually<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  options: { readonly withinMs?: number; readonly state?: () => unknown } = {},
): Promise<T> {
  const withinMs = options.withinMs ?? PATIENCE_MS;
  const deadline = performance.now() + withinMs;
  for (;;) {
    let cause: unknown;
    try {
      const result = await probe();
      if (result !== undefined && result !== false) return result;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) {
      const state = options.state ? `; last state: ${inspect(options.state(), { depth: 4 })}` : "";
      throw new Error(`waited ${withinMs} ms in vain for ${what}${state}`, { cause });
    }
    await delay(POLL_MS);
  }
}

/** Settles as `promise` does. @throws Error naming `what` and the state when that takes longer than `withinMs`. */
export async function within<T>(
  withinMs: number,
  what: string,
  promise: Promise<T>,
  state: () => string = () => "",
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`waited ${withinMs} ms in vain for ${what}${state()}`)), withinMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
