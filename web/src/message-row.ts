import { avatar } from "./avatar.ts";
import { h } from "./dom.ts";
import { clock, compactJson, fullTime, httpsHost, listNames, shortClock } from "./format.ts";
import { icon } from "./icons.ts";
import { splitLinks } from "./links.ts";
import type { Thread } from "./thread.ts";
import type { CustomEntry, MessageEntry, OutgoingEntry, PresenceEntry } from "./timeline.ts";
import { nameOf, type Row } from "./timeline-rows.ts";

/** What rows need of the page. */
export interface RowHost {
  readonly thread: Thread;
  readonly self: { readonly uid: string; readonly username: string; readonly avatarId?: string };
  /** Opens the conversation with a user. Undefined where there are no conversations. */
  readonly onMember: ((uid: string, username: string) => void) | undefined;
}

/** Makes the element of a row. */
export function rowElement(row: Row, host: RowHost): HTMLElement {
  switch (row.kind) {
    case "day":
      return h("li", { class: "divider day" }, h("span", {}, row.label));
    case "unread":
      return h("li", { class: "divider unread" }, h("span", {}, "New"));
    case "missed":
      return h("li", { class: "divider missed" }, h("span", {}, icon("restore"), row.label));
    case "message":
      return row.entry.deleted ? deletedRow(row.entry) : messageRow(row.entry, row.head, row.own, host);
    case "outgoing":
      return outgoingRow(row.entry, row.head, host);
    case "custom":
      return customRow(row.entry);
    case "presence":
      return h("li", { class: "row line" }, h("span", {}, presenceText(row.entry)));
    case "note":
      return h("li", { class: "row line note" }, h("span", {}, row.entry.text));
  }
}

function messageRow(entry: MessageEntry, head: boolean, own: boolean, host: RowHost): HTMLElement {
  const { message } = entry;
  const at = Date.parse(message.sent);
  const member = host.thread.roster.authorOf(message);
  const picture = message.imageUrl === undefined ? undefined : pictureBox(message.imageUrl, nameOf(entry));
  const stored = own ? h("span", { class: "state", title: "Stored" }, icon("check"), hidden("Stored")) : undefined;
  const remove = (): void => void host.thread.delete(entry.seq);
  const name = nameOf(entry);
  const row = h(
    "li",
    {
      class: classes("row message", head && "head", own && "own", entry.gap !== 0 && "missed"),
      "data-seq": entry.seq,
      tabindex: -1,
      onkeydown: (event: KeyboardEvent) => {
        if (own && event.key === "Delete" && event.target === event.currentTarget) remove();
      },
    },
    head ? avatar({ ...member, username: name }) : timeElement(at, "gutter"),
    h(
      "div",
      { class: "body" },
      head && h("p", { class: "meta" }, authorElement(message.uid, name, own, host), timeElement(at)),
      !head && hidden(`${name}:`),
      message.message !== "" && textElement(message.message),
      picture,
    ),
    stored,
  );
  if (own) {
    const button = { class: "icon-button", type: "button", tabindex: -1, "data-quiet": true, onclick: remove };
    row.append(
      h("span", { class: "actions" }, h("button", { ...button, "aria-label": "Delete message" }, icon("trash"))),
    );
  }
  return row;
}

function outgoingRow(entry: OutgoingEntry, head: boolean, { thread, self }: RowHost): HTMLElement {
  const failed = entry.failed !== undefined;
  const state = failed
    ? h("span", { class: "state failed", title: "Not sent" }, icon("alert"))
    : h("span", { class: "state", title: "Sending" }, icon("clock"), hidden("Sending"));
  return h(
    "li",
    { class: classes("row message own outgoing", head && "head", failed && "failed"), tabindex: -1 },
    head ? avatar(self) : timeElement(entry.at, "gutter"),
    h(
      "div",
      { class: "body" },
      head && h("p", { class: "meta" }, h("strong", { class: "author" }, self.username), timeElement(entry.at)),
      entry.text !== "" && textElement(entry.text),
      entry.imageUrl !== undefined && h("p", { class: "text faint" }, `Picture from ${httpsHost(entry.imageUrl)}`),
      failed &&
        h(
          "p",
          { class: "problem" },
          h("span", {}, `Not sent. ${entry.failed ?? ""}`),
          h("button", { class: "link", type: "button", onclick: () => thread.retry(entry.id) }, "Retry"),
          h("button", { class: "link", type: "button", onclick: () => thread.discard(entry.id) }, "Discard"),
        ),
    ),
    state,
  );
}

function deletedRow({ seq }: MessageEntry): HTMLElement {
  return h("li", { class: "row line", "data-seq": seq, tabindex: -1 }, h("span", {}, "Message deleted"));
}

/** A service's event: its type and its JSON in one line, all of it when asked for. */
function customRow({ event, seq, gap }: CustomEntry): HTMLElement {
  return h(
    "li",
    { class: classes("row custom", gap !== 0 && "missed"), "data-seq": seq, tabindex: -1 },
    timeElement(Date.parse(event.sent), "gutter"),
    h(
      "details",
      {},
      h("summary", {}, h("span", { class: "tag" }, event.type), h("code", {}, compactJson(event.data))),
      h("pre", {}, JSON.stringify(event.data, undefined, 2) ?? "null"),
    ),
  );
}

function presenceText({ joined, left }: PresenceEntry): string {
  const names = (members: readonly { readonly username: string }[]): string =>
    listNames(members.map(({ username }) => username));
  const parts = [joined.length > 0 ? `${names(joined)} joined` : "", left.length > 0 ? `${names(left)} left` : ""];
  return parts.filter((part) => part !== "").join(" · ");
}

function authorElement(uid: string, name: string, own: boolean, { onMember }: RowHost): HTMLElement {
  if (own || onMember === undefined) return h("strong", { class: "author" }, name);
  const attributes = { class: "author", type: "button", tabindex: -1, "data-quiet": true, title: `Message ${name}` };
  return h("button", { ...attributes, onclick: () => onMember(uid, name) }, name);
}

function textElement(text: string): HTMLElement {
  const parts = splitLinks(text).map(({ text: words, href }) =>
    href === undefined ? words : h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, words),
  );
  return h("p", { class: "text" }, ...parts);
}

/** Where a picture is, and a button that loads it: loading it tells its server who is reading. */
function pictureBox(url: string, author: string): HTMLElement | undefined {
  const host = httpsHost(url);
  if (host === undefined) return undefined;
  const box = h("div", { class: "picture" });
  const load = (): void => {
    const image = h("img", {
      alt: `Picture from ${author}`,
      referrerpolicy: "no-referrer",
      onerror: () =>
        box.replaceChildren(h("span", { class: "faint" }, `The picture from ${host} could not be loaded.`)),
      src: url,
    });
    box.classList.add("loaded");
    box.replaceChildren(image);
  };
  box.append(
    icon("image"),
    h("span", {}, h("strong", {}, "Picture from"), h("span", { class: "faint" }, host)),
    h("button", { class: "button small", type: "button", onclick: load }, "Show"),
  );
  return box;
}

function timeElement(at: number, className = ""): HTMLElement {
  const attributes = { class: className || undefined, datetime: new Date(at).toISOString(), title: fullTime(at) };
  return h("time", attributes, className === "" ? clock(at) : shortClock(at));
}

function hidden(text: string): HTMLElement {
  return h("span", { class: "hidden" }, `${text} `);
}

function classes(...names: readonly (string | false)[]): string {
  return names.filter((name) => name !== false).join(" ");
}
