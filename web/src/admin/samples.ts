/** What was measured at one time: a number for each name. */
export interface Sample {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly values: Readonly<Record<string, number>>;
}

/** The latest samples, bounded in time: what a chart shows. */
export class Samples {
  /** How far back it remembers, in milliseconds. */
  readonly spanMs: number;
  readonly #gapMs: number;
  #kept: Sample[] = [];

  /** @param options.gapMs time without a sample, in milliseconds, across which a chart draws no line. */
  constructor(options: { readonly spanMs: number; readonly gapMs: number }) {
    this.spanMs = options.spanMs;
    this.#gapMs = options.gapMs;
  }

  add(sample: Sample): void {
    const last = this.#kept.at(-1);
    const gap = last !== undefined && sample.at - last.at > this.#gapMs;
    if (gap) this.#kept.push({ at: last.at + 1, values: {} });
    this.#kept = [...this.#kept.filter(({ at }) => at > sample.at - this.spanMs), sample];
  }

  /** Two columns, as charts want them: times in seconds, and the values of one name; null where it was not measured. */
  series(name: string): readonly [number[], (number | null)[]] {
    return [this.#kept.map(({ at }) => at / 1_000), this.#kept.map(({ values }) => values[name] ?? null)];
  }

  /** When the oldest was taken, in milliseconds since 1970; undefined before there is any. */
  get since(): number | undefined {
    return this.#kept[0]?.at;
  }

  /** Least, greatest and latest value of a name; undefined before there is any. */
  summary(name: string): { readonly least: number; readonly most: number; readonly last: number } | undefined {
    const values = this.#kept.flatMap((sample) => sample.values[name] ?? []);
    const last = values.at(-1);
    return last === undefined ? undefined : { least: Math.min(...values), most: Math.max(...values), last };
  }
}
