import { fill, h } from "../dom.ts";
import { type IconName, icon } from "../icons.ts";
import { Toasts } from "../toasts.ts";
import type { Api } from "./api.ts";
import { auditView } from "./audit.ts";
import { clientsView } from "./clients.ts";
import { edgesView } from "./edges.ts";
import { LOGO } from "./login.ts";
import { Measures } from "./measures.ts";
import { overviewView } from "./overview.ts";
import { roomView } from "./room.ts";
import { roomsView } from "./rooms.ts";
import { hashOf, parseRoute, type Route } from "./routes.ts";
import type { ViewContext } from "./view.ts";

/** Where one can go from anywhere. */
const PLACES: readonly (readonly [name: string, icon: IconName, route: Route])[] = [
  ["Overview", "gauge", { view: "overview" }],
  ["Rooms", "hash", { view: "rooms", prefix: "" }],
  ["Clients", "users", { view: "clients", by: "uid", value: "" }],
  ["Edges", "server", { view: "edges" }],
  ["Audit", "list", { view: "audit", room: "", uid: "", actor: "" }],
];

/** The console around its views: where one can go, and what holds everywhere. */
export class Shell {
  readonly element: HTMLElement;
  readonly #api: Api;
  readonly #toasts = new Toasts();
  readonly #closing = new AbortController();
  readonly #banner = h("div", { class: "banner", role: "status", hidden: true });
  readonly #main = h("main", { class: "stage", id: "main", tabindex: -1 });
  readonly #links = new Map<string, HTMLElement>();
  readonly #lacking = new Set<string>();
  readonly #measures: Measures;
  #leaving = new AbortController();

  constructor(options: {
    readonly api: Api;
    /** The server asks for no token, so there is none to forget. */
    readonly open: boolean;
    readonly themeButton: HTMLElement;
    readonly onForget: () => void;
  }) {
    this.#api = options.api;
    this.#measures = new Measures({ api: options.api, signal: this.#closing.signal });
    const skip = (event: MouseEvent): void => {
      event.preventDefault(); // the address after # says which view it is
      this.#main.focus();
    };
    const links = PLACES.map(([name, picture, route]) => {
      const link = h("a", { class: "place", href: hashOf(route) }, icon(picture), h("span", {}, name));
      this.#links.set(route.view, link);
      return h("li", {}, link);
    });
    const forget = (): void => {
      this.close();
      options.onForget();
    };
    const button = { class: "button quiet small", type: "button", onclick: forget };
    const state = !options.open && h("button", button, icon("leave"), "Forget token");
    if (options.open) this.#say("alert", "This server asks for no token: whoever reaches it is an operator.");
    this.element = h(
      "div",
      { class: "console" },
      h("a", { class: "skip", href: "#main", onclick: skip }, "Skip to content"),
      h(
        "header",
        { class: "side" },
        h("a", { class: "brand", href: "#/" }, h("img", { src: LOGO, alt: "", width: 26, height: 26 }), "Console"),
        h("nav", { "aria-label": "Console" }, h("ul", {}, ...links)),
        h("div", { class: "side-end" }, state, options.themeButton),
      ),
      h("div", { class: "content" }, this.#banner, this.#main),
      this.#toasts.element,
    );
  }

  /** Shows what the address names, and follows it. */
  start(): void {
    addEventListener("hashchange", () => this.#show(true), { signal: this.#closing.signal });
    this.#show(false);
  }

  /** Ends what the view began. */
  close(): void {
    this.#closing.abort();
    this.#leaving.abort();
  }

  /** Says that the token lacks a scope, until something else is in its place. */
  lacks(scope: string): void {
    this.#lacking.add(scope);
    const scopes = [...this.#lacking].join(" and ");
    this.#say("key", `This token lacks the scope ${scopes}: what needs it is refused.`);
  }

  #say(picture: IconName, text: string): void {
    fill(this.#banner, icon(picture), h("span", {}, text));
    this.#banner.hidden = false;
  }

  #show(moved: boolean): void {
    this.#leaving.abort();
    this.#leaving = new AbortController();
    const route = parseRoute(location.hash);
    const context: ViewContext = {
      api: this.#api,
      signal: this.#leaving.signal,
      toasts: this.#toasts,
      measures: this.#measures,
      go: (to) => {
        location.hash = hashOf(to);
      },
    };
    const view = makeView(route, context);
    fill(this.#main, view);
    const place = route.view === "room" ? "rooms" : route.view;
    for (const [name, link] of this.#links) {
      if (name === place) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const title = view.querySelector<HTMLElement>("h1");
    document.title = `${title?.textContent ?? ""} · Console · baccarat`;
    this.#main.parentElement?.scrollTo(0, 0);
    // A filter that changes its own address keeps the focus; elsewhere it goes to what is new.
    if (moved && document.activeElement === document.body) this.#main.focus({ preventScroll: true });
  }
}

function makeView(route: Route, context: ViewContext): HTMLElement {
  switch (route.view) {
    case "overview":
      return overviewView(context);
    case "rooms":
      return roomsView(context, route.prefix);
    case "room":
      return roomView(context, route.room);
    case "clients":
      return clientsView(context, route);
    case "edges":
      return edgesView(context);
    case "audit":
      return auditView(context, route);
  }
}
