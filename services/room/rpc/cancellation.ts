import { Code, ConnectError } from "@connectrpc/connect";

/** A signal that follows others. */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  /** Stops following; the signal itself is aborted, so that whatever still runs for the call ends. */
  release(): void;
}

/** Why a call ends that took too long. */
export function deadlineExceeded(): ConnectError {
  return new ConnectError("the deadline of the call is over", Code.DeadlineExceeded);
}

/** Made once: every call ends with it, and finding out where an error was made takes longer than a call's own work. */
export const CALL_OVER = new ConnectError("the call is over", Code.Canceled);

/**
 * A signal that aborts with the first of `sources`, or after `timeoutMs` with DeadlineExceeded. Unlike AbortSignal.any it
 * leaves nothing behind at sources that outlive it.
 */
export function linkSignals(sources: readonly AbortSignal[], timeoutMs: number | undefined): LinkedSignal {
  const controller = new AbortController();
  const timer = timeoutMs === undefined ? undefined : setTimeout(expire, timeoutMs);
  function expire(): void {
    stop(deadlineExceeded());
  }
  function follow(this: AbortSignal): void {
    stop(this.reason);
  }
  function stop(reason: unknown): void {
    clearTimeout(timer);
    for (const source of sources) source.removeEventListener("abort", follow);
    controller.abort(reason);
  }
  for (const source of sources) source.addEventListener("abort", follow);
  const aborted = sources.find((source) => source.aborted);
  if (aborted) stop(aborted.reason);
  return { signal: controller.signal, release: () => stop(CALL_OVER) };
}

/** The work's outcome, or the signal's reason if that comes first; then nobody hears of the work's outcome any more. */
export function raced<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  return promise;
}

/**
 * Passes messages on until the link's signal aborts, whatever the source is waiting for, then fails with the reason.
 * Releases the link at the end. `onLateError` hears of an error in the source's cleanup, which nobody waits for.
 */
export async function* untilAborted<T>(
  messages: AsyncIterable<T>,
  { signal, release }: LinkedSignal,
  onLateError: (error: unknown) => void,
): AsyncGenerator<T> {
  const source = messages[Symbol.asyncIterator]();
  let ended = false;
  // Not left to the end of this: who takes the messages waits for the peer to take them, and when that is gone, for ever.
  const end = (): void => {
    if (!ended) source.return?.().catch(onLateError);
    ended = true;
  };
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  try {
    for (;;) {
      const result = await raced(signal, source.next());
      ended ||= result.done === true;
      if (result.done) return;
      yield result.value;
    }
  } finally {
    release();
  }
}
