import { fill, h } from "../dom.ts";
import { icon } from "../icons.ts";
import { edgeCards } from "./edge-cards.ts";
import { latestActs } from "./latest-acts.ts";
import { liveStatus } from "./live-status.ts";
import { askNotice } from "./notice.ts";
import { hashOf } from "./routes.ts";
import { loading, showFailed } from "./states.ts";
import { tilesOf } from "./tiles.ts";
import type { ViewContext } from "./view.ts";

/** How much is going on, now and in the last minutes. */
export function overviewView(context: ViewContext): HTMLElement {
  const { measures, signal } = context;
  const body = h("div", { class: "overview" }, loading(6));
  const tiles = tilesOf(context);
  const edges = edgeCards(context);
  const all = h("a", { href: hashOf({ view: "edges" }) }, "All edges");
  const edgesTitle = h("header", { class: "section-header" }, h("h2", {}, "Edges"), all);
  const edgesSection = h("section", { "aria-label": "Edges" }, edgesTitle, edges.element);
  const acts = latestActs(context);

  const render = (): void => {
    const { latest, failure } = measures;
    if (latest === undefined) {
      if (failure) showFailed(body, "Could not load the numbers", failure, () => void measures.ask());
      return;
    }
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
      h("div", {}, h("h1", {}, "Overview"), liveStatus(context)),
      h("button", notice, icon("notice"), "Send a notice"),
    ),
    body,
  );
}
