import { fill, h, svg } from "./dom.ts";
import { type Bead, ROWS, type RoadMark } from "./table-events.ts";
import type { TableState } from "./table-fold.ts";
import { beadSummary, roadSummary } from "./table-words.ts";

/** Side of a square, in pixels; the stylesheet draws the same grid behind. */
const CELL = 18;
const RADIUS = 6.75;
/** Nearer to the end than this, a road follows its newest column, in pixels. */
const END_PX = 2 * CELL;
const LETTERS = { player: "P", banker: "B", tie: "T" } as const;

/** Bead plate and big road, each as wide as it needs and scrolled to its newest column. */
export class RoadsView {
  readonly element: HTMLElement;
  readonly #beads: Road;
  readonly #marks: Road;
  #rev = "";

  constructor(signal: AbortSignal) {
    this.#beads = road("Bead plate", signal);
    this.#marks = road("Big road", signal);
    this.element = h("div", { class: "roads" }, this.#beads.element, this.#marks.element);
  }

  /** Draws what changed. */
  show(table: TableState): void {
    const { shoe, beads, marks } = table;
    const ties = marks.reduce((sum, mark) => sum + mark.ties, 0);
    const rev = `${shoe} ${beads.length} ${marks.length} ${ties}`;
    if (rev === this.#rev) return;
    this.#rev = rev;
    this.#beads.show(beadSummary(table), Math.ceil(beads.length / ROWS), beads.flatMap(beadMark));
    const columns = Math.max(0, ...marks.map(({ column }) => column + 1));
    this.#marks.show(
      roadSummary(marks),
      columns,
      marks.flatMap((mark, index) => ring(mark, index === marks.length - 1)),
    );
  }
}

interface Road {
  readonly element: HTMLElement;
  show(summary: string, columns: number, marks: readonly SVGElement[]): void;
}

function road(title: string, signal: AbortSignal): Road {
  const drawing = svg("svg", { role: "img", height: ROWS * CELL + 1 });
  let follows = true;
  const onscroll = (): void => {
    follows = scroller.scrollWidth - scroller.clientWidth - scroller.scrollLeft < END_PX;
  };
  const attributes = { class: "road-scroller", tabindex: 0, role: "group", "aria-label": title };
  const scroller = h("div", { ...attributes, onscroll }, drawing);
  const toEnd = (): void => {
    if (follows) scroller.scrollLeft = scroller.scrollWidth;
  };
  // Also when it comes into the page, or back from being put away: before, there is nowhere to scroll.
  const resized = new ResizeObserver(toEnd);
  resized.observe(scroller);
  signal.addEventListener("abort", () => resized.disconnect(), { once: true });
  return {
    element: h("div", { class: "road" }, h("h3", {}, title), scroller),
    show(summary, columns, marks) {
      drawing.setAttribute("aria-label", summary);
      // One free column behind the newest: where the next streak will begin.
      drawing.setAttribute("width", String((columns + 1) * CELL + 1));
      fill(drawing, ...marks);
      toEnd();
    },
  };
}

function beadMark({ winner, playerPair, bankerPair }: Bead, index: number): SVGElement[] {
  const [x, y] = centre(Math.floor(index / ROWS), index % ROWS);
  const letter = svg("text", { x, y: y + 3.6, "text-anchor": "middle" });
  letter.textContent = LETTERS[winner];
  const dots = [
    ...(bankerPair ? [svg("circle", { class: "pair banker", cx: x - 5.6, cy: y - 5.6, r: 2.4 })] : []),
    ...(playerPair ? [svg("circle", { class: "pair player", cx: x + 5.6, cy: y + 5.6, r: 2.4 })] : []),
  ];
  return [svg("circle", { class: `bead ${winner}`, cx: x, cy: y, r: RADIUS + 0.75 }), letter, ...dots];
}

function ring({ column, row, winner, ties }: RoadMark, newest: boolean): SVGElement[] {
  const [x, y] = centre(column, row);
  const mark = svg("circle", { class: `ring ${winner}${newest ? " newest" : ""}`, cx: x, cy: y, r: RADIUS - 0.75 });
  if (ties === 0) return [mark];
  const slash = svg("line", { class: "slash", x1: x - 5.5, y1: y + 5.5, x2: x + 5.5, y2: y - 5.5 });
  if (ties === 1) return [mark, slash];
  const count = svg("text", { class: "ties", x, y: y + 3.2, "text-anchor": "middle" });
  count.textContent = String(ties);
  return [mark, slash, count];
}

function centre(column: number, row: number): readonly [number, number] {
  return [column * CELL + CELL / 2 + 0.5, row * CELL + CELL / 2 + 0.5];
}
