import { avatar } from "./avatar.ts";
import type { Chat } from "./chat.ts";
import { fill, h, type Keyed, renderOn, syncList } from "./dom.ts";
import { badge } from "./format.ts";
import { icon } from "./icons.ts";
import { isRoomId, search, toRoomId } from "./room-search.ts";
import { rove } from "./roving.ts";
import type { Saved } from "./saved.ts";
import type { Thread } from "./thread.ts";

/** Rooms, conversations and rooms of earlier, with a field that filters them and joins new ones. */
export class Sidebar {
  readonly element: HTMLElement;
  readonly #chat: Chat;
  readonly #saved: Saved;
  readonly #onChosen: () => void;
  readonly #field: HTMLInputElement;
  readonly #lists = h("div", { class: "lists" });
  readonly #join = section("Join a room");
  readonly #rooms = section("Rooms");
  readonly #direct = section("Direct messages");
  readonly #recent = section("Recent");
  readonly #self = h("div", { class: "self" });
  readonly #refreshRoving: () => void;

  constructor(options: {
    readonly chat: Chat;
    readonly saved: Saved;
    readonly signal: AbortSignal;
    /** Something was chosen: a drawer may close. */
    readonly onChosen: () => void;
    /** Buttons beside the user's name. */
    readonly tools: readonly HTMLElement[];
  }) {
    this.#chat = options.chat;
    this.#saved = options.saved;
    this.#onChosen = options.onChosen;
    this.#field = h("input", {
      type: "search",
      name: "room",
      placeholder: "Find or join a room",
      "aria-label": "Find or join a room",
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
      maxlength: 64,
      oninput: () => this.#render(),
      onkeydown: (event: KeyboardEvent) => this.#pressed(event),
    });
    for (const part of [this.#join, this.#rooms, this.#direct, this.#recent]) this.#lists.append(part.element);
    const search = h("search", { class: "find" }, icon("search"), this.#field, h("kbd", {}, "Ctrl K"));
    this.element = h(
      "nav",
      { class: "sidebar", "aria-label": "Rooms and conversations" },
      h("div", { class: "brand" }, h("img", { src: "/favicon.svg", alt: "", width: 24, height: 24 }), "baccarat"),
      search,
      this.#lists,
      h("div", { class: "me" }, this.#self, ...options.tools),
    );
    this.#refreshRoving = rove(this.#lists, "button.thread");
    renderOn([(listener) => options.chat.changes.on(listener)], options.signal, () => this.#render());
  }

  /** Puts the cursor into the field. */
  focusSearch(): void {
    this.#field.focus();
    this.#field.select();
  }

  #pressed(event: KeyboardEvent): void {
    if (event.key === "Escape" && this.#field.value !== "") {
      event.stopPropagation();
      this.#clear();
    } else if (event.key === "Enter") this.#lists.querySelector<HTMLElement>("button.thread")?.click();
    else if (event.key === "ArrowDown") this.#lists.querySelector<HTMLElement>("button.thread")?.focus();
    else return;
    event.preventDefault();
  }

  #clear(): void {
    this.#field.value = "";
    this.#render();
  }

  #choose(open: () => void): void {
    open();
    this.#clear();
    this.#onChosen();
  }

  #render(): void {
    const query = this.#field.value;
    const { rooms, conversations } = this.#chat;
    const named = ({ name, title }: Thread): string => (title === name ? name : `${name} ${title}`);
    const wanted = toRoomId(query);
    const open = new Set(rooms.map(({ id }) => id));
    const recent = this.#saved.recent.filter((id) => !open.has(id));
    const isNew = isRoomId(wanted) && !open.has(wanted) && !recent.includes(wanted);
    const found = search(rooms, query, named);
    const exact = found.filter(({ id }) => id === wanted);
    // What Enter takes comes first: the room of exactly this name, else a new one.
    const items = exact.length > 0 ? [...exact, ...found.filter(({ id }) => id !== wanted)] : found;
    this.#join.show(isNew ? [this.#roomItem(wanted, "plus")] : []);
    this.#rooms.show(items.map((thread) => this.#threadItem(thread)));
    this.#direct.show(search(conversations, query, named).map((thread) => this.#threadItem(thread)));
    this.#recent.show(search(recent, query, (id) => id).map((id) => this.#roomItem(id, "hash")));
    this.#refreshRoving();
    this.#renderSelf();
  }

  #renderSelf(): void {
    const { self, state } = this.#chat;
    const live = state.name === "live";
    const status = h("span", { class: `faint status${live ? " live" : ""}` }, live ? "Connected" : "Not connected");
    this.#self.title = live ? `Connected to ${self?.edgeId ?? "the server"}` : "";
    fill(
      this.#self,
      self && avatar(self),
      h("span", { class: "who" }, h("span", { class: "name" }, self?.username ?? "…"), status),
    );
  }

  #threadItem(thread: Thread): ListItem {
    const { id, title, unread, withUid } = thread;
    const active = this.#chat.active === thread;
    const gone = thread.status.name === "failed" || thread.status.name === "left";
    return {
      key: id,
      rev: `${title} ${thread.partner.avatarId ?? ""} ${unread} ${active} ${gone}`,
      make: () => {
        const button = h(
          "button",
          {
            class: `thread${unread > 0 ? " unread" : ""}${gone ? " gone" : ""}`,
            type: "button",
            tabindex: -1,
            "aria-current": active ? "page" : undefined,
            onclick: () => this.#choose(() => this.#chat.show(id)),
          },
          withUid === undefined ? icon("hash") : avatar(thread.partner),
          h("span", { class: "name" }, title),
          unread > 0 && h("span", { class: "badge" }, badge(unread), h("span", { class: "hidden" }, " unread")),
        );
        return h("li", {}, button);
      },
    };
  }

  #roomItem(id: string, symbol: "plus" | "hash"): ListItem {
    return {
      key: `room-${id}`,
      rev: symbol,
      make: () => {
        const onclick = (): void => this.#choose(() => this.#chat.join(id));
        const name = h("span", { class: "name" }, symbol === "plus" ? `Join #${id}` : id);
        const attributes = { class: `thread ${symbol === "hash" ? "recent" : "new"}`, type: "button", tabindex: -1 };
        return h("li", {}, h("button", { ...attributes, onclick }, icon(symbol), name));
      },
    };
  }
}

interface ListItem extends Keyed {
  readonly make: () => HTMLElement;
}

/** A list with a title; it is not there while it is empty. */
function section(title: string): { readonly element: HTMLElement; show(items: readonly ListItem[]): void } {
  const list = h("ul", {});
  const element = h("section", { "aria-label": title, hidden: true }, h("h2", {}, title), list);
  return {
    element,
    show(items) {
      element.hidden = items.length === 0;
      syncList(list, items, ({ make }) => make());
    },
  };
}
