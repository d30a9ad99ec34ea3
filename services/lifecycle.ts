import type { Logger } from "./log.ts";

/** What ends a process besides itself: the part of `process` that is needed, so that tests can play it. */
export interface Host {
  on(event: "SIGINT" | "SIGTERM", listener: () => void): unknown;
  on(event: "uncaughtException" | "unhandledRejection", listener: (error: unknown) => void): unknown;
  exit(code: number): void;
}

/** Ends one thing; may be called once only. */
export type StopStep = () => void | Promise<void>;

/** Ctrl-C reaches the process twice, from the terminal and from npm; within this time it is one wish, not two. */
const SAME_SIGNAL_MS = 300;

/**
 * Order of life: what is started registers how it is stopped, and stopping goes backwards, so that nothing loses what it
 * stands on. A step that fails or hangs does not keep the others from running.
 */
export class Lifecycle {
  readonly #log: Logger;
  readonly #stopMs: number;
  readonly #steps: { readonly name: string; readonly stop: StopStep }[] = [];
  #stopping: Promise<void> | undefined;
  #failed = false;

  /** @param options.stopMs how long all steps together may take, in milliseconds. */
  constructor(options: { readonly log: Logger; readonly stopMs: number }) {
    this.#log = options.log;
    this.#stopMs = options.stopMs;
  }

  /** True from the first call of stop. */
  get stopping(): boolean {
    return this.#stopping !== undefined;
  }

  /** True once a step has failed. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Registers how to stop what was just started. */
  onStop(name: string, stop: StopStep): void {
    this.#steps.push({ name, stop });
  }

  /** Runs the steps, last registered first. Idempotent; resolves when all are done or the time is over, never rejects. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    const deadline = performance.now() + this.#stopMs;
    for (const { name, stop } of this.#steps.toReversed()) {
      try {
        const done = await within(deadline - performance.now(), stop);
        if (!done) this.#log.warn({ step: name }, "did not stop in time");
      } catch (error) {
        this.#failed = true;
        this.#log.error({ err: error, step: name }, "failed to stop");
      }
    }
  }
}

/**
 * Ends the process when asked: SIGINT and SIGTERM stop and exit 0 (1 when a step failed), a second one exits at once, and an error nobody
 * caught is logged, stops and exits 1, since what it left behind cannot be known.
 */
export function handleSignals(options: {
  readonly host: Host;
  readonly lifecycle: Lifecycle;
  readonly log: Logger;
  readonly now?: () => number;
}): void {
  const { host, lifecycle, log, now = () => performance.now() } = options;
  let firstSignal: number | undefined;

  const end = (code: number): void => {
    void lifecycle.stop().then(() => host.exit(lifecycle.failed ? 1 : code));
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    host.on(signal, () => {
      if (firstSignal === undefined) {
        firstSignal = now();
        log.info({ signal }, "stopping");
        end(0);
      } else if (now() - firstSignal > SAME_SIGNAL_MS) {
        log.warn({ signal }, "second signal: exiting at once");
        host.exit(1);
      }
    });
  }
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    host.on(event, (error) => {
      log.fatal({ err: error }, event);
      if (lifecycle.stopping) host.exit(1);
      else end(1);
    });
  }
}

/** Waits for a step at most this long, but always starts it; false when it was not done by then. */
async function within(ms: number, step: StopStep): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(resolve, Math.max(0, ms), false);
  try {
    return await Promise.race([Promise.resolve(step()).then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
