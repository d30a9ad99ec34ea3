import { h } from "./dom.ts";
import { icon } from "./icons.ts";

/** How long a word stays. */
const SHOWN_MS = 6_000;
const MOST = 4;

/** Short words that go away by themselves. */
export class Toasts {
  readonly element = h("div", { class: "toasts", role: "status", "aria-live": "polite" });

  /** Shows a word; one that is shown already stays a while longer instead of coming twice. */
  say(text: string, kind: "good" | "bad"): void {
    for (const toast of [...this.element.children]) if (toast.textContent === text) toast.remove();
    const dismiss = { class: "icon-button", type: "button", "aria-label": "Dismiss", onclick: () => toast.remove() };
    const toast = h(
      "div",
      { class: `toast ${kind}` },
      icon(kind === "good" ? "restore" : "alert"),
      h("span", {}, text),
      h("button", dismiss, icon("close")),
    );
    this.element.append(toast);
    while (this.element.children.length > MOST) this.element.firstElementChild?.remove();
    setTimeout(() => toast.remove(), SHOWN_MS);
  }
}
