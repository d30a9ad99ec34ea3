import type { Edge } from "../../../gen/baccarat/v1/admin_service_pb.ts";
import { fill, h, setAttribute } from "../dom.ts";
import { clock, plural } from "../format.ts";
import { icon } from "../icons.ts";
import { Chart } from "./chart.ts";
import { edgeState } from "./edges.ts";
import { lagOf } from "./lag.ts";
import { latestActs } from "./latest-acts.ts";
import { type EdgeMeasure, edgeSeries, type Measured } from "./measures.ts";
import { askNotice } from "./notice.ts";
import { count, milliseconds, rate } from "./numbers.ts";
import { hashOf } from "./routes.ts";
import { empty, failed, loading } from "./states.ts";
import type { ViewContext } from "./view.ts";

/** Edges with charts of their own; all of them are under Edges. */
const MOST_EDGES = 24;

/** How much is going on, now and in the last minutes. */
export function overviewView(context: ViewContext): HTMLElement {
  const { measures, signal } = context;
  const status = h("p", { class: "live-status", role: "status" });
  const body = h("div", { class: "overview" }, loading(6));
  const tiles = tilesOf(context);
  const edges = edgeCards(context);
  const all = h("a", { href: hashOf({ view: "edges" }) }, "All edges");
  const edgesTitle = h("header", { class: "section-header" }, h("h2", {}, "Edges"), all);
  const edgesSection = h("section", { "aria-label": "Edges" }, edgesTitle, edges.element);
  const acts = latestActs(context);

  const render = (): void => {
    const { latest, failure } = measures;
    setAttribute(status, "data-stale", failure !== undefined);
    if (latest === undefined) {
      fill(status);
      if (failure)
        fill(
          body,
          failed("Could not load the numbers", failure, () => void measures.ask()),
        );
      return;
    }
    const when = clock(latest.at);
    fill(status, failure === undefined ? "Live, every 2 s" : `Not updated since ${when}. ${failure.message}`);
    tiles.draw(latest);
    edges.draw(latest);
    if (!body.contains(edgesSection)) fill(body, tiles.element, edgesSection, acts);
  };
  measures.listen(signal, render);
  render();

  const notice = { class: "button", type: "button", onclick: () => askNotice(context) };
  return h(
    "div",
    { class: "view" },
    h(
      "header",
      { class: "view-header" },
      h("div", {}, h("h1", {}, "Overview"), status),
      h("button", notice, icon("notice"), "Send a notice"),
    ),
    body,
  );
}

interface Drawn {
  readonly element: HTMLElement;
  draw(measured: Measured): void;
}

function tilesOf({ measures, signal }: ViewContext): Drawn {
  const tile = (name: string, label: string, format: (value: number) => string): Tile =>
    new Tile({ chart: { samples: measures.samples, name, label, format, signal }, label });
  const connections = tile("connections", "Connections", count);
  const rooms = tile("rooms", "Rooms", count);
  const messages = tile("messages", "Messages per second", rate);
  const lag = tile("lag", "Delivery lag", milliseconds);
  const all = [connections, rooms, messages, lag];
  return {
    element: h("div", { class: "tiles" }, ...all.map(({ element }) => element)),
    draw({ stats, edges }) {
      const delay = lagOf(edges);
      connections.show(count(stats.clients), plural(stats.users, "user"));
      rooms.show(count(stats.rooms), plural(stats.members, "member"));
      messages.show(rate(stats.eventsPerSecond), "stored, in all rooms");
      lag.show(
        delay === undefined ? "–" : milliseconds(delay.meanMs),
        delay === undefined ? "nothing to deliver" : `99 % within ${milliseconds(delay.p99Ms)}`,
      );
    },
  };
}

/** A number, what it means, and its chart. */
class Tile {
  readonly element: HTMLElement;
  readonly #value = h("p", { class: "tile-value" });
  readonly #note = h("p", { class: "tile-note" });
  readonly #chart: Chart;
  #noted = "";
  #pointed: string | undefined;

  constructor({ chart, label }: { chart: ConstructorParameters<typeof Chart>[0]; label: string }) {
    const onPoint = (text: string | undefined): void => {
      this.#pointed = text;
      this.#renderNote();
    };
    this.#chart = new Chart({ ...chart, onPoint });
    this.element = h(
      "section",
      { class: "tile", "aria-label": label },
      h("h2", { class: "tile-label" }, label),
      this.#value,
      this.#note,
      this.#chart.element,
    );
  }

  show(value: string, note: string): void {
    this.#value.textContent = value;
    this.#noted = note;
    this.#renderNote();
    this.#chart.draw();
  }

  #renderNote(): void {
    this.#note.textContent = this.#pointed ?? this.#noted;
  }
}

const EDGE_MEASURES: readonly (readonly [EdgeMeasure, string, (value: number) => string])[] = [
  ["connections", "Connections", count],
  ["messages", "Messages/s", rate],
  ["lag", "Delivery lag", milliseconds],
];

/** A card for each run of an edge; those that are gone go. */
function edgeCards(context: ViewContext): Drawn {
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
