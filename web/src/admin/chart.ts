import uPlot from "uplot";
import { h } from "../dom.ts";
import { duration } from "../format.ts";
import type { Samples } from "./samples.ts";

const SECONDS = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
/** The least time a chart shows, in milliseconds. */
const SHORTEST_MS = 60_000;
/** Space above the greatest value. */
const HEADROOM = 1.15;

/** One measure over the last minutes, small; pointing at it tells of one time. */
export class Chart {
  readonly element = h("div", { class: "chart", role: "img" });
  readonly #options: ChartOptions;
  #plot: uPlot | undefined;

  constructor(options: ChartOptions) {
    this.#options = options;
    // Its size is known once it is on the page, and changes with it.
    const observer = new ResizeObserver(() => this.#fit());
    observer.observe(this.element);
    options.signal.addEventListener(
      "abort",
      () => {
        observer.disconnect();
        this.#plot?.destroy();
      },
      { once: true },
    );
  }

  /** Draws what is in the samples now. */
  draw(): void {
    const { samples, name, label, format } = this.#options;
    const { least, most, last } = samples.summary(name) ?? { least: 0, most: 0, last: 0 };
    const range = `now ${format(last)}, between ${format(least)} and ${format(most)}`;
    this.element.setAttribute("aria-label", `${label}, last ${duration(samples.spanMs)}: ${range}`);
    this.#plot?.setData(this.#data());
  }

  #data(): uPlot.AlignedData {
    const [times, values] = this.#options.samples.series(this.#options.name);
    return [times, values];
  }

  /** From the first sample on, as far back as is kept, and never so short that a minute fills it. */
  #span(): [number, number] {
    const { spanMs, since } = this.#options.samples;
    const now = Date.now();
    const from = Math.max(now - spanMs, Math.min(since ?? now, now - SHORTEST_MS));
    return [from / 1_000, now / 1_000];
  }

  #fit(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (width === 0 || height === 0 || this.#options.signal.aborted) return;
    if (this.#plot === undefined) this.#plot = this.#make(width, height);
    else this.#plot.setSize({ width, height });
  }

  #make(width: number, height: number): uPlot {
    const { format, onPoint } = this.#options;
    const colour = (): string => getComputedStyle(this.element).color;
    const point = (plot: uPlot): void => {
      const index = plot.cursor.idx;
      const [at, value] = index == null ? [] : [plot.data[0][index], plot.data[1]?.[index]];
      onPoint?.(at === undefined || value == null ? undefined : `${format(value)} at ${SECONDS.format(at * 1_000)}`);
    };
    return new uPlot(
      {
        width,
        height,
        padding: [2, 0, 1, 0],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
        axes: [{ show: false }, { show: false }],
        scales: {
          x: { range: () => this.#span() },
          y: { range: (_, __, most) => [0, Math.max(1, (most ?? 0) * HEADROOM)] },
        },
        series: [
          {},
          { stroke: colour, fill: () => faint(colour()), width: 1.5, points: { show: false }, spanGaps: false },
        ],
        hooks: { setCursor: [point] },
      },
      this.#data(),
      this.element,
    );
  }
}

/** What a chart shows. */
export interface ChartOptions {
  readonly samples: Samples;
  /** The measure. */
  readonly name: string;
  /** The same for people. */
  readonly label: string;
  readonly format: (value: number) => string;
  readonly signal: AbortSignal;
  /** Hears what is pointed at; undefined when nothing is any more. */
  readonly onPoint?: (text: string | undefined) => void;
}

/** The same colour, nearly transparent: for the area under a line. */
function faint(colour: string): string {
  return colour.replace(/^rgb\((.*)\)$/, "rgba($1, 0.13)");
}
