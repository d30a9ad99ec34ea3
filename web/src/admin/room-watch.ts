import type { Event, Position } from "../../../gen/baccarat/v1/event_pb.ts";
import type { Api } from "./api.ts";
import { describeFailure, type Failure } from "./failure.ts";

/** A stream says something every 15 s; one that does not for so long is dead, in milliseconds. */
const SILENCE_MS = 35_000;
/** Pauses before following goes on after a failure, in milliseconds: the first, doubled up to the last. */
const FIRST_PAUSE_MS = 500;
const LAST_PAUSE_MS = 8_000;

/** Where following stands. */
export type WatchState =
  | { readonly name: "connecting" }
  | { readonly name: "live" }
  | { readonly name: "waiting"; readonly failure: Failure }
  | { readonly name: "failed"; readonly failure: Failure };

/** Who hears of a room. */
export interface WatchListener {
  /** Following begins here: what was stored before must be read. Again when it could not be gone on from the last position. */
  onBegin(position: Position): Promise<void>;
  onEvents(events: readonly Event[]): void;
  onState(state: WatchState): void;
}

/** Follows a room until the signal, through lost connections and restarts; never rejects. */
export async function watchRoom(api: Api, roomId: string, listener: WatchListener, signal: AbortSignal): Promise<void> {
  let position: Position | undefined;
  let pauseMs = FIRST_PAUSE_MS;
  listener.onState({ name: "connecting" });
  while (!signal.aborted) {
    const silence = new Silence(SILENCE_MS);
    const ending = AbortSignal.any([signal, silence.signal]);
    try {
      const target = { case: "roomId", value: roomId } as const;
      const request = { target, ...(position && { after: position }) };
      for await (const answer of api.rooms.watchRoom(request, { signal: ending, timeoutMs: 0 })) {
        silence.break();
        if (answer.position === undefined) continue;
        if (position === undefined) await listener.onBegin(answer.position);
        if (signal.aborted) return;
        if (answer.events.length > 0) listener.onEvents(answer.events);
        position = answer.position;
        pauseMs = FIRST_PAUSE_MS;
        listener.onState({ name: "live" });
      }
    } catch (error) {
      if (signal.aborted) return;
      const failure = describeFailure(error);
      if (!failure.retryable && position === undefined) return listener.onState({ name: "failed", failure });
      // What it cannot be gone on from will not come back: begin anew, and say that something may be missing.
      if (!failure.retryable) position = undefined;
      listener.onState({ name: "waiting", failure });
    } finally {
      silence.end();
    }
    await pause(pauseMs, signal);
    pauseMs = Math.min(2 * pauseMs, LAST_PAUSE_MS);
  }
}

/** Aborts when nothing broke it for a time. */
class Silence {
  readonly #ms: number;
  readonly #ending = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number) {
    this.#ms = ms;
    this.break();
  }

  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  break(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ending.abort(), this.#ms);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const stop = (): void => {
    clearTimeout(timer);
    resolve();
  };
  signal.addEventListener("abort", stop, { once: true });
  return promise.finally(() => signal.removeEventListener("abort", stop));
}
