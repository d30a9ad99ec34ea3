import { setTimeout as delay } from "node:timers/promises";
import { RoomError } from "../errors.ts";

const FIRST_DELAY_MS = 100;
const LAST_DELAY_MS = 2_000;

/**
 * Repeats an idempotent write until it is stored: for what must not be left undone, such as taking out a connection that
 * is gone.
 * @throws AbortError once `signal` aborts, and at once whatever the write fails with other than `unavailable`.
 */
export async function untilStored(signal: AbortSignal, write: () => Promise<void>): Promise<void> {
  for (let backoff = FIRST_DELAY_MS; ; backoff = Math.min(2 * backoff, LAST_DELAY_MS)) {
    signal.throwIfAborted();
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof RoomError) || error.reason !== "unavailable") throw error;
    }
    await delay(backoff * (0.5 + Math.random() / 2), undefined, { signal });
  }
}
