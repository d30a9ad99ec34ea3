import { avatar } from "./avatar.ts";
import { Chat } from "./chat.ts";
import { connectionBar } from "./connection-bar.ts";
import { fill, h, renderOn } from "./dom.ts";
import { icon } from "./icons.ts";
import { Line } from "./line.ts";
import { ThreadPane } from "./thread-pane.ts";
import { Toasts } from "./toasts.ts";

/** One side: a user with a client and a line of their own. */
export class DuoPane {
  readonly element: HTMLElement;
  readonly #line = new Line();
  readonly #chat: Chat;
  readonly #toasts = new Toasts();
  readonly #switch = h("button", { class: "button small", type: "button", onclick: () => this.#toggle() });

  constructor(options: {
    readonly username: string;
    readonly avatarId: string;
    readonly url: string;
    readonly room: string;
    readonly signal: AbortSignal;
  }) {
    const { username, avatarId, url, room, signal } = options;
    const chat = new Chat({
      url,
      client: { username, avatarId, WebSocket: this.#line.WebSocket },
      host: {
        readSeq: () => undefined,
        onThreads: () => undefined,
        onRead: () => undefined,
        onSession: () => undefined,
        say: (text, kind) => this.#toasts.say(text, kind),
      },
    });
    this.#chat = chat;
    const thread = chat.join(room);
    const pane = new ThreadPane({ chat, thread, signal, onMember: undefined });
    const state = h("p", { class: "duo-state" });
    const place = h("p", { class: "duo-place" });
    const bar = connectionBar({
      chat,
      signal,
      onWay: () => location.reload(),
      isCut: () => this.#line.isCut,
    });
    this.element = h(
      "section",
      { class: "duo-pane", "aria-label": username },
      h(
        "header",
        { class: "duo-pane-header" },
        avatar({ uid: username, username, avatarId }),
        h("div", { class: "duo-who" }, h("h2", {}, username), state),
        this.#switch,
      ),
      bar,
      pane.element,
      place,
      this.#toasts.element,
    );
    const subscribe = [chat.changes, thread.changes].map((changes) => (listener: () => void) => changes.on(listener));
    renderOn(subscribe, signal, () => {
      const { position, roster } = thread;
      const live = chat.state.name === "live";
      state.textContent = this.#line.isCut ? "Cut off" : live ? `Connected · ${roster.count} here` : "Connecting …";
      place.textContent = `${chat.self?.edgeId ?? "…"} · seq ${position?.seq ?? "…"}`;
      this.element.dataset.line = this.#line.isCut ? "cut" : live ? "live" : "waiting";
    });
    this.#renderSwitch();
  }

  #toggle(): void {
    if (this.#line.isCut) {
      this.#line.restore();
      this.#chat.client.reconnectNow();
    } else this.#line.cut();
    this.#renderSwitch();
    this.#chat.changes.tell();
  }

  #renderSwitch(): void {
    const { isCut } = this.#line;
    fill(this.#switch, icon(isCut ? "restore" : "cut"), isCut ? "Restore" : "Cut");
    this.#switch.classList.toggle("primary", isCut);
  }
}
