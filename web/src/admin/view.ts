import type { Toasts } from "../toasts.ts";
import type { Api } from "./api.ts";
import type { Measures } from "./measures.ts";
import type { Route } from "./routes.ts";

/** What a view is given. */
export interface ViewContext {
  readonly api: Api;
  /** Aborts when something else is shown: what the view began ends. */
  readonly signal: AbortSignal;
  readonly toasts: Toasts;
  /** The server's numbers, kept up to date. */
  readonly measures: Measures;
  /** Shows something else. */
  readonly go: (route: Route) => void;
}

/** Calls `act` now and then every `everyMs` while the page is looked at, one call at a time, until the signal. */
export function poll(everyMs: number, signal: AbortSignal, act: () => Promise<void>): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running = false;
  const round = async (): Promise<void> => {
    clearTimeout(timer);
    if (running || signal.aborted) return;
    running = true;
    await act();
    running = false;
    if (!signal.aborted && !document.hidden) timer = setTimeout(() => void round(), everyMs);
  };
  document.addEventListener("visibilitychange", () => !document.hidden && void round(), { signal });
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  void round();
}
