import { fill, h } from "./dom.ts";
import { DuoPane } from "./duo-pane.ts";
import { edgesOf } from "./edges.ts";
import { icon } from "./icons.ts";
import { isRoomId } from "./room-search.ts";
import { Saved } from "./saved.ts";
import { browserStores } from "./stores.ts";
import { themeButton } from "./theme.ts";

/** Two users of one room side by side, each with a connection of its own that can be cut. */
const PEOPLE = [
  { username: "Ann", avatarId: "spade" },
  { username: "Bob", avatarId: "heart" },
] as const;

const STEPS = ["Cut one side.", "Write on the other, or on both.", "Restore it, and watch the gap fill."] as const;

const saved = new Saved(browserStores());
const { signal } = new AbortController();
const room = roomOfPage();
const edges = edgesOf(location.href);
const panes = h("main", { class: "duo-panes" });

document.body.replaceChildren(
  h(
    "div",
    { class: "duo" },
    h(
      "header",
      { class: "duo-header" },
      h("img", { src: "/favicon.svg", alt: "", width: 32, height: 32 }),
      h("div", { class: "duo-title" }, h("h1", {}, "Two sides of one room"), steps()),
      h("a", { class: "button small quiet", href: `/#${room}` }, "Open the room", icon("forward")),
      themeButton(saved),
    ),
    panes,
  ),
);

if (edges === undefined) {
  const words = "edges must be one or two addresses such as http://127.0.0.1:3000,http://127.0.0.1:3001";
  fill(panes, h("p", { class: "problem", role: "alert" }, words));
} else {
  for (const [index, person] of PEOPLE.entries()) {
    const url = edges[index % edges.length] ?? "";
    panes.append(new DuoPane({ ...person, url, room, signal }).element);
  }
}

function steps(): HTMLElement {
  return h("ol", { class: "steps" }, ...STEPS.map((step) => h("li", {}, step)));
}

/** The room is in the address, so that a reload or a second window shows the same one. */
function roomOfPage(): string {
  const given = location.hash.slice(1);
  if (isRoomId(given)) return given;
  const made = `duo-${crypto.getRandomValues(new Uint32Array(1))[0]?.toString(36)}`;
  history.replaceState(null, "", `${location.search}#${made}`);
  return made;
}
