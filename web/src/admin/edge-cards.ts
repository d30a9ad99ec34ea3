import type { Edge } from "../../../gen/baccarat/v1/admin_service_pb.ts";
import { fill, h } from "../dom.ts";
import { Chart } from "./chart.ts";
import { edgeState } from "./edges.ts";
import { type EdgeMeasure, edgeSeries } from "./measures.ts";
import { count, milliseconds, rate } from "./numbers.ts";
import { hashOf } from "./routes.ts";
import { empty } from "./states.ts";
import type { Drawn } from "./tiles.ts";
import type { ViewContext } from "./view.ts";

/** Edges with charts of their own; all of them are under Edges. */
const MOST_EDGES = 24;

const EDGE_MEASURES: readonly (readonly [EdgeMeasure, string, (value: number) => string])[] = [
  ["connections", "Connections", count],
  ["messages", "Messages/s", rate],
  ["lag", "Delivery lag", milliseconds],
];

/** A card for each run of an edge; those that are gone go. */
export function edgeCards(context: ViewContext): Drawn {
  const element = h("div", { class: "edge-cards" });
  const cards = new Map<string, EdgeCard>();
  return {
    element,
    draw({ edges }) {
      const shown = edges.slice(0, MOST_EDGES);
      const alive = new Set(shown.map(({ incarnation }) => incarnation));
      for (const [incarnation, card] of cards) {
        if (alive.has(incarnation)) continue;
        card.close();
        cards.delete(incarnation);
      }
      for (const edge of shown) {
        const card = cards.get(edge.incarnation) ?? new EdgeCard(edge, context);
        cards.set(edge.incarnation, card);
        card.draw(edge);
      }
      const wanted = shown.flatMap(({ incarnation }) => cards.get(incarnation)?.element ?? []);
      if (wanted.length === 0) fill(element, empty("server", "No edge is alive, so nobody can connect."));
      else if (
        wanted.length !== element.childElementCount ||
        wanted.some((card, at) => card !== element.children[at])
      ) {
        fill(element, ...wanted);
      }
    },
  };
}

class EdgeCard {
  readonly element: HTMLElement;
  readonly #state = h("span", {});
  readonly #closing = new AbortController();
  readonly #rows: readonly { readonly value: HTMLElement; readonly chart: Chart; readonly name: string }[];
  readonly #context: ViewContext;

  constructor(edge: Edge, context: ViewContext) {
    this.#context = context;
    const signal = AbortSignal.any([context.signal, this.#closing.signal]);
    const { samples } = context.measures;
    this.#rows = EDGE_MEASURES.map(([measure, label, format]) => {
      const name = edgeSeries(edge, measure);
      const chart = new Chart({ samples, name, label: `${label} of ${edge.edgeId}`, format, signal });
      return { value: h("dd", {}), chart, name };
    });
    const href = hashOf({ view: "clients", by: "edge", value: edge.edgeId });
    this.element = h(
      "article",
      { class: "edge-card", "aria-label": edge.edgeId },
      h("header", {}, h("h3", { class: "name" }, h("a", { href }, edge.edgeId)), this.#state),
      h(
        "dl",
        {},
        ...EDGE_MEASURES.flatMap(([, label], at) => {
          const row = this.#rows[at];
          return row === undefined ? [] : [h("div", {}, h("dt", {}, label), h("dd", {}, row.chart.element), row.value)];
        }),
      ),
    );
  }

  draw(edge: Edge): void {
    fill(this.#state, edgeState(edge));
    EDGE_MEASURES.forEach(([measure, , format], at) => {
      const row = this.#rows[at];
      if (row === undefined) return;
      const last = this.#context.measures.samples.summary(row.name)?.last ?? 0;
      row.value.textContent = measure === "lag" && last === 0 ? "–" : format(last);
      row.chart.draw();
    });
  }

  close(): void {
    this.#closing.abort();
  }
}
