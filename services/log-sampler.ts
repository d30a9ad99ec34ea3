/** Level and text of a line that stands for many. */
export interface Suppressed {
  readonly level: string;
  readonly message: string;
  /** How many lines of that level and text were left out in the last second. */
  readonly count: number;
}

/**
 * Lines of one text that are written in one second; the rest are counted. Those of `info` are one per connection and join,
 * which a reconnecting crowd makes thousands of, and writing each would keep their clients waiting. What was fatal is
 * always written, and whoever turned `debug` on wants to see it.
 */
const LINES_PER_SECOND: Readonly<Record<string, number>> = {
  trace: 1_000,
  debug: 1_000,
  info: 10,
  warn: 20,
  error: 100,
};
const WINDOW_MS = 1_000;

/** Decides which lines of a log are written while there are too many, so that a storm costs a line a second of each kind. */
export class LogSampler {
  readonly #onSuppressed: (suppressed: Suppressed) => void;
  readonly #now: () => number;
  readonly #counts = new Map<string, { readonly level: string; readonly message: string; lines: number }>();
  #windowEnds = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param options.onSuppressed hears, a second later, of everything that was left out. */
  constructor(options: { readonly onSuppressed: (suppressed: Suppressed) => void; readonly now?: () => number }) {
    this.#onSuppressed = options.onSuppressed;
    this.#now = options.now ?? (() => performance.now());
  }

  /** True when a line is to be written. Texts must be constants: what differs from line to line belongs in fields. */
  admits(level: string, message: string): boolean {
    const most = LINES_PER_SECOND[level];
    if (most === undefined) return true;
    const now = this.#now();
    if (now >= this.#windowEnds) {
      this.flush();
      this.#windowEnds = now + WINDOW_MS;
    }
    const key = `${level} ${message}`;
    let count = this.#counts.get(key);
    if (count === undefined) {
      count = { level, message, lines: 0 };
      this.#counts.set(key, count);
    }
    count.lines++;
    if (count.lines <= most) return true;
    // A process that is done need not stay for this.
    this.#timer ??= setTimeout(() => this.flush(), this.#windowEnds - now).unref();
    return false;
  }

  /** Says what was left out so far, and begins to count anew. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const counts = [...this.#counts.values()];
    this.#counts.clear();
    for (const { level, message, lines } of counts) {
      const count = lines - (LINES_PER_SECOND[level] ?? lines);
      if (count > 0) this.#onSuppressed({ level, message, count });
    }
  }
}
