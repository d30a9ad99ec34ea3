import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Member } from "../../../gen/baccarat/v1/client_pb.ts";
import type { Ban } from "../../../gen/baccarat/v1/moderation_pb.ts";
import { fill, h } from "../dom.ts";
import { fullTime } from "../format.ts";
import { icon } from "../icons.ts";
import { describeFailure } from "./failure.ts";
import { askBan, askKick, askMute, askUnban } from "./moderation.ts";
import { hashOf } from "./routes.ts";
import { syncRows } from "./rows.ts";
import { loading, showFailed } from "./states.ts";
import { poll, type ViewContext } from "./view.ts";

/** How often members and bans are read, in milliseconds, and how many of each are shown. */
const EVERY_MS = 3_000;
const MOST = 100;

/** Who is in a room, who may not be, and what can be done about both. */
export function roomPeople(context: ViewContext, roomId: string): HTMLElement {
  const { api, signal } = context;
  const members = new PeopleList<Member>({
    name: "Members",
    none: "Nobody is here.",
    load: async () => {
      const { members: items, count } = await api.rooms.listMembers({ roomId, pageSize: MOST }, { signal });
      return { items, count };
    },
    key: ({ uid, username }) => `${uid} ${username}`,
    row: (member) => memberRow(member),
    signal,
  });
  const bans = new PeopleList<Ban>({
    name: "Bans",
    none: "Nobody is banned.",
    load: async () => {
      const { bans: items, nextPageToken } = await api.rooms.listBans({ roomId, pageSize: MOST }, { signal });
      return { items, count: nextPageToken === "" ? items.length : undefined };
    },
    key: ({ uid, reason, expireTime }) => `${uid} ${reason} ${expireTime?.seconds ?? ""}`,
    row: (ban) => banRow(ban),
    signal,
  });
  const changed = (): void => {
    void members.refresh();
    void bans.refresh();
  };
  const memberRow = ({ uid, username }: Member): HTMLElement => {
    const target = { roomId, uid, name: username || uid };
    return h(
      "li",
      { class: "person" },
      h(
        "span",
        { class: "stacked" },
        h("strong", {}, username || uid),
        h("a", { class: "faint", href: hashOf({ view: "clients", by: "uid", value: uid }) }, uid),
      ),
      tool("Kick", "leave", target.name, () => askKick(context, target, changed)),
      tool("Mute", "mute", target.name, () => askMute(context, target, changed)),
      tool("Ban", "ban", target.name, () => askBan(context, target, changed)),
    );
  };
  const banRow = ({ uid, reason, by, expireTime }: Ban): HTMLElement => {
    const until = expireTime === undefined ? "until it is lifted" : `until ${fullTime(timestampMs(expireTime))}`;
    return h(
      "li",
      { class: "person" },
      h(
        "span",
        { class: "stacked" },
        h("strong", {}, uid),
        h("span", { class: "faint" }, [reason, `by ${by}`, until].filter((part) => part !== "").join(" · ")),
      ),
      tool("Lift the ban", "restore", uid, () => askUnban(context, { roomId, uid, name: uid }, changed)),
    );
  };
  const ban = {
    class: "button small",
    type: "button",
    onclick: () => askBan(context, { roomId, uid: "", name: "" }, changed),
  };
  return h("div", { class: "people" }, members.element, bans.element, h("button", ban, icon("ban"), "Ban a user"));
}

function tool(label: string, picture: Parameters<typeof icon>[0], name: string, act: () => void): HTMLElement {
  const attributes = {
    class: "icon-button",
    type: "button",
    "aria-label": `${label}: ${name}`,
    title: label,
    onclick: act,
  };
  return h("button", attributes, icon(picture));
}

interface PeopleListOptions<Item> {
  readonly name: string;
  readonly none: string;
  /** The first of them, and how many there are; undefined: more than the first. */
  readonly load: () => Promise<{ readonly items: readonly Item[]; readonly count: number | undefined }>;
  readonly key: (item: Item) => string;
  readonly row: (item: Item) => HTMLElement;
  readonly signal: AbortSignal;
}

/** A list that is read again and again, in which only those rows change that show something else. */
class PeopleList<Item> {
  readonly element: HTMLElement;
  readonly #options: PeopleListOptions<Item>;
  readonly #count = h("span", { class: "faint" });
  readonly #rows = h("ul", {});
  readonly #body = h("div", {}, loading(2));

  constructor(options: PeopleListOptions<Item>) {
    this.#options = options;
    const title = h("header", { class: "panel-header" }, h("h2", {}, options.name), this.#count);
    this.element = h("section", { class: "panel", "aria-label": options.name }, title, this.#body);
    poll(EVERY_MS, options.signal, () => this.refresh());
  }

  /** Reads it now; never rejects. */
  async refresh(): Promise<void> {
    const { load, key, row, name, none, signal } = this.#options;
    try {
      const { items, count } = await load();
      if (signal.aborted) return;
      this.#count.textContent = count === undefined ? `more than ${items.length}` : count.toLocaleString();
      const rows = items.map((item) => ({ key: key(item), rev: "", item }));
      syncRows(this.#rows, rows, ({ item }) => row(item));
      if (items.length === 0) fill(this.#body, h("p", { class: "faint none" }, none));
      else if (!this.#rows.isConnected) fill(this.#body, this.#rows);
    } catch (error) {
      if (signal.aborted) return;
      showFailed(this.#body, `Could not load ${name.toLowerCase()}`, describeFailure(error));
    }
  }
}
