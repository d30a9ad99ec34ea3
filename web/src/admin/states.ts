import { fill, h } from "../dom.ts";
import { type IconName, icon } from "../icons.ts";
import type { Failure } from "./failure.ts";

/** What stands where something will be: as many lines as will roughly be there. */
export function loading(lines = 4): HTMLElement {
  const bones = Array.from({ length: lines }, () => h("span", { class: "bone" }));
  return h("div", { class: "loading", role: "status" }, h("span", { class: "hidden" }, "Loading"), ...bones);
}

/** What stands where there is nothing, and what can be done about it. */
export function empty(name: IconName, text: string, ...more: readonly (HTMLElement | string | false)[]): HTMLElement {
  return h("div", { class: "empty" }, icon(name), h("p", {}, text), ...more);
}

/** What stands where something could not be had: why, by which id the server's log has it, and a way to try again. */
export function failed(what: string, failure: Failure, retry?: () => void): HTMLElement {
  return h(
    "div",
    { class: "failed", role: "alert" },
    icon("alert"),
    h("div", {}, h("p", { class: "failed-title" }, what), ...words(failure)),
    retry !== undefined && h("button", { class: "button small", type: "button", onclick: retry }, "Try again"),
  );
}

/** Puts that in place of what is there; the same once more changes nothing, so that it is not read out again and again. */
export function showFailed(parent: Element, what: string, failure: Failure, retry?: () => void): void {
  const box = failed(what, failure, retry);
  if (parent.firstElementChild?.isEqualNode(box) !== true) fill(parent, box);
}

/** A failure in the server's words, with its reason and, if there is one, its correlation id. */
export function words({ message, reason, correlationId }: Failure): HTMLElement[] {
  const id = correlationId !== undefined && correlation(correlationId);
  return [h("p", {}, message), h("p", { class: "reason" }, "Reason ", h("code", {}, reason), id)];
}

function correlation(id: string): HTMLElement {
  return h("span", {}, " · correlation id ", h("code", {}, id));
}
