import type { ConnectionState } from "../../client/src/index.ts";
import type { Chat } from "./chat.ts";
import { fill, h, renderOn } from "./dom.ts";
import { duration } from "./format.ts";
import { icon } from "./icons.ts";
import { describeEnding, type Ending } from "./words.ts";

/** How often the countdown is looked at. */
const TICK_MS = 250;
/** A first connection that takes longer than this is worth a word. */
const PATIENCE_MS = 800;

/** Says when the connection is not there, what comes next, and what the user can do. */
export function connectionBar(options: {
  readonly chat: Chat;
  readonly signal: AbortSignal;
  /** Carries out the way out of an ending. */
  readonly onWay: (way: Ending["way"]) => void;
  /** True while the line is cut on purpose, so that there is nothing to wait for. */
  readonly isCut?: () => boolean;
}): HTMLElement {
  const { chat, signal, onWay } = options;
  const text = h("span", {});
  // Part of what is seen, not of what is read out every second.
  const countdown = h("span", { class: "countdown", "aria-live": "off" });
  const actions = h("span", { class: "bar-actions" });
  const bar = h("div", { class: "bar", role: "status", hidden: true }, icon("alert"), text, countdown, actions);
  const openedAt = Date.now();
  let shown = "";

  const action = (label: string, act: () => void): HTMLElement =>
    h("button", { class: "button small", type: "button", onclick: act }, label);

  const show = (kind: string, words: string, ...buttons: readonly (() => HTMLElement)[]): void => {
    if (kind === shown) return;
    shown = kind;
    bar.hidden = kind === "";
    bar.dataset.kind = kind;
    text.textContent = words;
    fill(actions, ...buttons.map((make) => make()));
  };

  const render = (): void => {
    const { state } = chat;
    const isCut = options.isCut?.() === true;
    const wasThere = chat.self !== undefined;
    countdown.textContent = state.name === "live" || state.name === "closed" || isCut ? "" : next(state);
    if (state.name === "live") show("", "");
    else if (isCut) show("cut", "The line is cut. What you write waits here, and is sent once.");
    else if (state.name === "closed") {
      const { title, text: why, way } = describeEnding(state.code, state.reason);
      const label = { again: "Connect again", "new-guest": "New guest", token: "Log in" }[way];
      show(`closed-${state.code}`, `${title}. ${why}`, () => action(label, () => onWay(way)));
    } else if (wasThere || state.name === "reconnecting") {
      const words = wasThere ? "Connection lost." : "No connection.";
      show("lost", words, () => action("Try now", () => chat.client.reconnectNow()));
    } else show(Date.now() - openedAt < PATIENCE_MS ? "" : "connecting", "Connecting");
  };
  const timer = setInterval(() => {
    if (chat.state.name !== "live" && chat.state.name !== "closed") render();
  }, TICK_MS);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  renderOn([(listener) => chat.changes.on(listener)], signal, render);
  return bar;
}

function next(state: ConnectionState): string {
  const seconds = state.name === "reconnecting" ? Math.ceil((state.retryAt - Date.now()) / 1_000) : 0;
  return seconds > 0 ? `Next try in ${duration(seconds * 1_000)}.` : "Trying …";
}
