import { avatar } from "./avatar.ts";
import { h } from "./dom.ts";
import { icon, SHAPE_NAMES } from "./icons.ts";
import { randomName } from "./random-name.ts";
import { isRoomId, toRoomId } from "./room-search.ts";
import type { Profile } from "./saved.ts";

/** What the user came in with. */
export type Entry = { readonly token: string } | { readonly profile: Profile; readonly room: string };

/** The first screen: who you are and where you go; or a token, on servers that want one. */
export function entrance(options: {
  readonly profile: Profile | undefined;
  readonly room: string;
  /** Room this server proposes; undefined when it proposes none. */
  readonly featured: string | undefined;
  readonly wantsToken: boolean;
  /** Why it is shown again, such as a token that was refused. */
  readonly problem: string;
  readonly themeButton: HTMLElement;
  readonly onEnter: (entry: Entry) => void;
}): HTMLElement {
  const card = h("main", { class: "card" });
  const show = (form: HTMLElement): void => {
    const brand = h("div", { class: "brand large" }, h("img", { src: "/favicon.svg", alt: "", width: 40, height: 40 }));
    card.replaceChildren(brand, form);
    form.querySelector<HTMLInputElement>("input")?.focus();
    form.querySelector<HTMLInputElement>("input")?.select();
  };
  const problem = (): HTMLElement | false =>
    options.problem !== "" &&
    h("p", { class: "problem", role: "alert" }, icon("alert"), h("span", {}, options.problem));

  const showGuest = (): void => show(guestForm(options, problem(), showToken));
  const showToken = (): void => show(tokenForm(options, problem(), showGuest));
  if (options.wantsToken) showToken();
  else showGuest();
  queueMicrotask(() => card.querySelector<HTMLInputElement>("input")?.select());
  return h("div", { class: "entrance" }, h("div", { class: "corner" }, options.themeButton), card);
}

function guestForm(
  options: Parameters<typeof entrance>[0],
  problem: HTMLElement | false,
  onToken: () => void,
): HTMLElement {
  const name = h("input", { name: "username", maxlength: 64, required: true, autocomplete: "nickname" });
  const room = h("input", { name: "room", maxlength: 65, required: true, autocapitalize: "off", spellcheck: "false" });
  name.value = options.profile?.username ?? randomName();
  room.value = options.room;
  const other = { class: "icon-button", type: "button", "aria-label": "Another name", title: "Another name" };
  const dice = (): void => {
    name.value = randomName();
    name.select();
  };
  const checked = options.profile?.avatarId || SHAPE_NAMES[Math.floor(Math.random() * SHAPE_NAMES.length)];
  const choices = SHAPE_NAMES.map((id) =>
    h(
      "label",
      { title: id },
      h("input", { type: "radio", name: "avatar", value: id, "aria-label": id, checked: id === checked }),
      avatar({ uid: "", username: id, avatarId: id }),
    ),
  );
  const check = (): void => room.setCustomValidity(isRoomId(toRoomId(room.value)) ? "" : ROOM_RULE);
  room.addEventListener("input", check);
  const form: HTMLFormElement = h(
    "form",
    {
      class: "entrance-form",
      onsubmit: (event: SubmitEvent) => {
        event.preventDefault();
        const avatarId = String(new FormData(form).get("avatar") ?? "");
        options.onEnter({ profile: { username: name.value.trim(), avatarId }, room: toRoomId(room.value) });
      },
    },
    h("h1", {}, "Take a seat"),
    h("p", { class: "faint" }, welcome(options.featured)),
    problem,
    h("label", { class: "field" }, h("span", {}, "Your name"), h("span", { class: "with-button" }, name)),
    h("fieldset", { class: "avatars" }, h("legend", {}, "Your picture"), ...choices),
    h("label", { class: "field" }, h("span", {}, "Room"), room),
    h("button", { class: "button primary" }, "Enter"),
    h("button", { class: "link", type: "button", onclick: onToken }, "Log in with a token"),
  );
  name.after(h("button", { ...other, onclick: dice }, icon("dice")));
  return form;
}

function tokenForm(
  options: Parameters<typeof entrance>[0],
  problem: HTMLElement | false,
  onGuest: () => void,
): HTMLElement {
  const token = h("textarea", { name: "token", rows: 4, required: true, autocomplete: "off", spellcheck: "false" });
  return h(
    "form",
    {
      class: "entrance-form",
      onsubmit: (event: SubmitEvent) => {
        event.preventDefault();
        options.onEnter({ token: token.value.trim() });
      },
    },
    h("h1", {}, "Log in"),
    h("p", { class: "faint" }, "Paste a token (JWT) this server accepts. It stays in this tab."),
    problem,
    h("label", { class: "field" }, h("span", {}, "Token"), token),
    h("button", { class: "button primary" }, "Log in"),
    h("button", { class: "link", type: "button", onclick: onGuest }, "Enter as a guest"),
  );
}

function welcome(featured: string | undefined): string {
  const all = "Choose a name and a room. That is all.";
  return featured === undefined ? all : `A table of baccarat is being dealt in ${featured}. Choose a name and come in.`;
}

const ROOM_RULE = "Letters, digits and _ . : @ - only, at most 64";
