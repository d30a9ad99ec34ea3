import type { Edge } from "../../../gen/baccarat/v1/admin_service_pb.ts";
import { fill, h } from "../dom.ts";
import { plural } from "../format.ts";
import { icon } from "../icons.ts";
import { ask } from "./dialog.ts";
import { liveStatus } from "./live-status.ts";
import { count, milliseconds, rate } from "./numbers.ts";
import { hashOf } from "./routes.ts";
import { empty, loading, showFailed } from "./states.ts";
import { since, timeElement } from "./time.ts";
import type { ViewContext } from "./view.ts";

/** A lease that was not renewed for so long is worth a word, in milliseconds; it ends after 10 s. */
const LATE_MS = 6_000;

/** Whether an edge takes clients in. */
export function edgeState(edge: Edge): HTMLElement {
  return edge.draining
    ? h("span", { class: "tag warn" }, icon("power"), "Draining")
    : h("span", { class: "tag good" }, "Serving");
}

/** The edges that are alive, and how to empty one. */
export function edgesView(context: ViewContext): HTMLElement {
  const { measures, signal } = context;
  const body = h("div", {}, loading());
  let shown = "";
  const render = (): void => {
    const { latest, failure } = measures;
    if (latest === undefined) {
      if (failure) showFailed(body, "Could not load edges", failure, () => void measures.ask());
      return;
    }
    // The table is made anew only when its rows are others: whoever is at a button stays there.
    const rows = latest.edges.map(({ incarnation, draining }) => `${incarnation} ${draining}`).join("\n");
    if (rows !== shown || rows === "") {
      shown = rows;
      fill(body, latest.edges.length === 0 ? noEdges() : table(latest.edges, context));
    }
    const cells = body.querySelectorAll("tbody tr");
    for (const [at, edge] of latest.edges.entries()) refresh(cells[at], edge, latest.at);
  };
  measures.listen(signal, render);
  render();
  const title = h("div", {}, h("h1", {}, "Edges"), liveStatus(context));
  const header = h("header", { class: "view-header" }, title);
  return h("div", { class: "view" }, header, body);
}

function noEdges(): HTMLElement {
  return empty("server", "No edge is alive, so nobody can connect.");
}

const NUMBERS = [
  ["Connections", (edge: Edge) => count(edge.connections)],
  ["Messages/s", ({ traffic }: Edge) => (traffic ? rate(traffic.messagesPerSecond) : "–")],
  ["Deliveries/s", ({ traffic }: Edge) => (traffic ? rate(traffic.deliveriesPerSecond) : "–")],
  ["Lag", ({ traffic }: Edge) => (traffic?.deliveryLagMs ? milliseconds(traffic.deliveryLagMs) : "–")],
  ["Lag, 99 %", ({ traffic }: Edge) => (traffic?.deliveryLagP99Ms ? milliseconds(traffic.deliveryLagP99Ms) : "–")],
] as const;

/** Numbers that a phone has no room for. */
const EXTRA = new Set<string>(["Messages/s", "Deliveries/s", "Lag, 99 %"]);

function table(edges: readonly Edge[], context: ViewContext): HTMLElement {
  const numberClass = (title: string): string => (EXTRA.has(title) ? "number extra" : "number");
  const numbers = NUMBERS.map(([title]) => h("th", { scope: "col", class: numberClass(title) }, title));
  const rows = edges.map((edge) =>
    h(
      "tr",
      {},
      h(
        "td",
        { class: "wide" },
        h("a", { href: hashOf({ view: "clients", by: "edge", value: edge.edgeId }) }, edge.edgeId),
      ),
      h("td", {}, edgeState(edge)),
      ...NUMBERS.map(([title]) => h("td", { class: numberClass(title), "data-number": title })),
      h("td", { class: "extra" }, timeElement(edge.startTime)),
      h("td", { class: "extra", "data-number": "renewed" }),
      h("td", { class: "actions" }, drainButton(edge, context)),
    ),
  );
  return h(
    "table",
    {},
    h("caption", { class: "hidden" }, "Edges"),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col", class: "wide" }, "Edge"),
        h("th", { scope: "col" }, "State"),
        ...numbers,
        h("th", { scope: "col", class: "extra" }, "Started"),
        h("th", { scope: "col", class: "extra" }, "Heard of"),
        h("th", { scope: "col", class: "actions" }, h("span", { class: "hidden" }, "Actions")),
      ),
    ),
    h("tbody", {}, ...rows),
  );
}

function refresh(row: Element | undefined, edge: Edge, now: number): void {
  for (const [title, format] of NUMBERS) {
    const cell = row?.querySelector(`[data-number="${title}"]`);
    if (cell) cell.textContent = format(edge);
  }
  const renewed = row?.querySelector('[data-number="renewed"]');
  if (!renewed) return;
  const ago = since(edge.renewTime, now);
  const late = now - Number(edge.renewTime?.seconds ?? 0n) * 1_000 > LATE_MS;
  fill(renewed, late ? h("span", { class: "tag warn" }, `${ago} ago`) : `${ago} ago`);
}

function drainButton(edge: Edge, { api, toasts, measures }: ViewContext): HTMLElement | false {
  if (edge.draining) return false;
  const drain = (): void =>
    ask({
      title: `Drain ${edge.edgeId}?`,
      text: `It takes nobody in any more and sends its ${plural(edge.connections, "connection")} elsewhere. It stays empty until its process is restarted.`,
      act: "Drain",
      danger: true,
      run: async () => {
        const { connections } = await api.admin.drainEdge({ edgeId: edge.edgeId });
        toasts.say(`${edge.edgeId} sends ${plural(connections, "connection")} elsewhere.`, "good");
        await measures.ask();
      },
    });
  return h("button", { class: "button small", type: "button", onclick: drain }, icon("power"), "Drain");
}
