import type { Member } from "../../client/src/index.ts";
import type { Chat } from "./chat.ts";
import { connectionBar } from "./connection-bar.ts";
import { fill, h, renderOn } from "./dom.ts";
import { Drawers } from "./drawers.ts";
import { badge, clock, plural } from "./format.ts";
import { type IconName, icon } from "./icons.ts";
import { membersPanel } from "./members-panel.ts";
import type { Saved } from "./saved.ts";
import { Sidebar } from "./sidebar.ts";
import { themeButton } from "./theme.ts";
import type { Thread } from "./thread.ts";
import { ThreadPane } from "./thread-pane.ts";
import type { Toasts } from "./toasts.ts";
import type { Ending } from "./words.ts";

/** The page at /: rooms and conversations at the left, the one that is shown, its members at the right. */
export class App {
  readonly element: HTMLElement;
  readonly #chat: Chat;
  readonly #signal: AbortSignal;
  readonly #sidebar: Sidebar;
  readonly #drawers: Drawers;
  readonly #stage = h("main", { class: "stage" });
  readonly #header = h("header", { class: "header" });
  readonly #thread = h("div", { class: "thread-slot" });
  readonly #members = h("aside", { class: "members", "aria-label": "Members" });
  #pane: ThreadPane | undefined;
  #shown: Thread | undefined;
  #showing = new AbortController();

  constructor(options: {
    readonly chat: Chat;
    readonly saved: Saved;
    readonly toasts: Toasts;
    readonly signal: AbortSignal;
    readonly onWay: (way: Ending["way"]) => void;
  }) {
    const { chat, signal } = options;
    this.#chat = chat;
    this.#signal = signal;
    const leave = button("power", "Log out", () => options.onWay("new-guest"));
    this.#sidebar = new Sidebar({
      ...options,
      tools: [themeButton(options.saved), leave],
      onChosen: () => {
        this.#drawers.close();
        this.#pane?.focus();
      },
    });
    const notices = h("div", { class: "notices" });
    this.#stage.append(connectionBar(options), notices, this.#header, this.#thread);
    const scrim = h("div", { class: "scrim", onclick: () => this.#drawers.close() });
    this.element = h("div", { class: "app" }, this.#sidebar.element, this.#stage, this.#members, scrim);
    this.#drawers = new Drawers({
      app: this.element,
      rooms: this.#sidebar.element,
      members: this.#members,
      stage: this.#stage,
      signal,
    });
    this.element.append(options.toasts.element);
    const onChanges = [(listener: () => void) => chat.changes.on(listener)];
    renderOn(onChanges, signal, () => {
      this.#renderThread();
      fill(notices, ...chat.notices.map((notice) => this.#notice(notice)));
    });
    // Not with the frames: a page in the background draws none, and that is when its title matters.
    signal.addEventListener(
      "abort",
      chat.changes.on(() => this.#renderTitle()),
      { once: true },
    );
    document.addEventListener("keydown", (event) => this.#pressed(event), { signal });
  }

  /** Puts the cursor where messages are written, unless that would bring up a keyboard on the screen. */
  focus(): void {
    if (matchMedia("(pointer: fine)").matches) this.#pane?.focus();
  }

  #renderTitle(): void {
    const { active, unread } = this.#chat;
    const name = active === undefined ? "" : `${active.withUid === undefined ? "#" : ""}${active.title} · `;
    document.title = `${unread > 0 ? `(${badge(unread)}) ` : ""}${name}baccarat`;
  }

  #renderThread(): void {
    const { active } = this.#chat;
    if (active !== this.#shown || this.#pane === undefined) {
      this.#showing.abort();
      this.#showing = new AbortController();
      this.#shown = active;
      this.#show(active, AbortSignal.any([this.#signal, this.#showing.signal]));
    }
    this.#renderTitle();
  }

  #show(thread: Thread | undefined, signal: AbortSignal): void {
    this.element.classList.toggle("no-members", thread === undefined || thread.withUid !== undefined);
    if (thread === undefined) {
      this.#pane = undefined;
      fill(
        this.#header,
        button("menu", "Rooms and conversations", () => this.#drawers.open("rooms"), "only-narrow"),
      );
      fill(this.#members);
      fill(this.#thread, this.#nothing());
      return;
    }
    const { withUid } = thread;
    const onMember = (member: Member): void => {
      this.#chat.openDirect(member);
      this.#drawers.close();
      requestAnimationFrame(() => this.#pane?.focus());
    };
    this.#pane = new ThreadPane({
      chat: this.#chat,
      thread,
      signal,
      onMember: (uid, username) => onMember({ uid, username }),
    });
    fill(this.#thread, this.#pane.element);
    this.#renderHeader(thread, signal);
    fill(this.#members, withUid === undefined && membersPanel({ chat: this.#chat, thread, signal, onMember }));
    this.focus();
  }

  #renderHeader(thread: Thread, signal: AbortSignal): void {
    const room = thread.withUid === undefined;
    const title = h("span", {});
    const about = h("p", { class: "faint about" });
    const leave = room ? `Leave #${thread.name}` : "Close this conversation";
    const members = (): void => this.#drawers.toggleMembers();
    fill(
      this.#header,
      button("menu", "Rooms and conversations", () => this.#drawers.open("rooms"), "only-narrow"),
      h("div", { class: "title" }, h("h1", {}, room && icon("hash"), title), about),
      room && button("users", "Members", members),
      button(room ? "leave" : "close", leave, () => void this.#chat.leave(thread)),
    );
    renderOn([(listener) => thread.changes.on(listener)], signal, () => {
      const { count } = thread.roster;
      const members = count > 0 ? plural(count, "member") : thread.status.name === "loading" ? "" : "Not a member";
      const id = thread.title === thread.name ? "" : `#${thread.name}`;
      const facts = [id, members, ...(count > 0 ? thread.rules.marks : [])];
      title.textContent = thread.title;
      about.textContent = room ? facts.filter((fact) => fact !== "").join(" · ") : "Direct message";
    });
  }

  #nothing(): HTMLElement {
    const find = (): void => {
      this.#drawers.open("rooms");
      this.#sidebar.focusSearch();
    };
    return h(
      "div",
      { class: "nothing" },
      h("img", { src: "/favicon.svg", alt: "", width: 56, height: 56 }),
      h("h1", {}, "No room open"),
      h("p", { class: "faint" }, "Join one by its name, or write to somebody you know from a room."),
      h("button", { class: "button primary", type: "button", onclick: find }, "Find or join a room"),
    );
  }

  #notice(notice: { readonly id: number; readonly text: string; readonly at: number }): HTMLElement {
    const dismiss = button("close", "Dismiss notice", () => this.#chat.dismiss(notice.id));
    const time = h("time", { class: "faint" }, clock(notice.at));
    return h("div", { class: "notice", role: "status" }, icon("notice"), h("span", {}, notice.text), time, dismiss);
  }

  #pressed(event: KeyboardEvent): void {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      this.#drawers.open("rooms");
      this.#sidebar.focusSearch();
    } else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      this.#chat.showNext(event.key === "ArrowUp" ? -1 : 1);
    } else if (event.key === "Escape" && !this.#drawers.close()) this.#pane?.focus();
  }
}

function button(name: IconName, label: string, onclick: () => void, extra = ""): HTMLButtonElement {
  const attributes = { class: `icon-button ${extra}`.trim(), type: "button", "aria-label": label, title: label };
  return h("button", { ...attributes, onclick }, icon(name));
}
