import type { Client } from "../../../gen/baccarat/v1/client_pb.ts";
import { h } from "../dom.ts";
import { icon } from "../icons.ts";
import { openClient } from "./client-sheet.ts";
import { PagedTable } from "./paged-table.ts";
import { askRevoke } from "./revoke.ts";
import { CLIENT_FILTERS, type ClientFilter, hashOf, type Route } from "./routes.ts";
import { searchField } from "./search-field.ts";
import { empty } from "./states.ts";
import { timeElement } from "./time.ts";
import type { ViewContext } from "./view.ts";

const PAGE = 100;
const FILTER_NAMES: Readonly<Record<ClientFilter, string>> = { uid: "User id", room: "Room id", edge: "Edge id" };

/** Connections, found by user, room or edge. */
export function clientsView(context: ViewContext, route: Extract<Route, { view: "clients" }>): HTMLElement {
  const { api, signal } = context;
  let { by, value } = route;
  const reload = (): void => {
    history.replaceState(null, "", hashOf({ view: "clients", by, value }));
    void table.reload();
  };
  const table = new PagedTable<Client>({
    name: "Clients",
    columns: [
      { title: "User", kind: "wide", cell: userCell },
      { title: "Rooms", cell: roomsCell },
      { title: "Edge", kind: "extra", cell: ({ edgeId }) => edgeId },
      { title: "Address", kind: "extra", cell: ({ remoteAddr }) => h("code", {}, remoteAddr) },
      { title: "Since", kind: "extra", cell: ({ connectTime }) => timeElement(connectTime) },
      {
        title: "",
        kind: "actions",
        cell: (client) => manageButton(client, () => openClient(context, client, () => void table.reload())),
      },
    ],
    load: async (pageToken) => {
      const filter = { uid: "", roomId: "", edgeId: "", [by === "uid" ? "uid" : `${by}Id`]: value };
      const page = await api.admin.listClients({ ...filter, pageSize: PAGE, pageToken }, { signal });
      return { items: page.clients, nextPageToken: page.nextPageToken };
    },
    empty: () =>
      value === ""
        ? empty("users", "Nobody is connected.")
        : empty("search", `No connection with the ${FILTER_NAMES[by].toLowerCase()} “${value}”.`),
    signal,
  });
  const choose = h(
    "select",
    {
      "aria-label": "Find by",
      onchange: () => {
        by = CLIENT_FILTERS.find((name) => name === choose.value) ?? "uid";
        if (value !== "") reload();
      },
    },
    ...CLIENT_FILTERS.map((name) => h("option", { value: name }, FILTER_NAMES[name])),
  );
  choose.value = by;
  const field = searchField({
    label: "Find connections",
    placeholder: "The whole id",
    value,
    signal,
    onChange: (text) => {
      value = text;
      reload();
    },
  });
  const revoke = { class: "button", type: "button", onclick: () => askRevoke(context, "") };
  return h(
    "div",
    { class: "view" },
    h("header", { class: "view-header" }, h("h1", {}, "Clients"), h("button", revoke, icon("key"), "Revoke tokens")),
    h("div", { class: "filters" }, choose, field),
    table.element,
  );
}

function userCell({ uid, username, guest }: Client): HTMLElement {
  return h(
    "span",
    { class: "stacked" },
    h("span", {}, h("strong", {}, username || uid), guest && h("span", { class: "tag" }, "Guest")),
    h("span", { class: "faint" }, uid),
  );
}

const MOST_ROOMS = 3;

function roomsCell({ roomIds }: Client): HTMLElement {
  const links = roomIds.slice(0, MOST_ROOMS).map((room) => h("a", { href: hashOf({ view: "room", room }) }, room));
  const more = roomIds.length > MOST_ROOMS && h("span", { class: "faint" }, `and ${roomIds.length - MOST_ROOMS} more`);
  return h("span", { class: "stacked" }, ...links, more);
}

function manageButton({ username, uid }: Client, act: () => void): HTMLElement {
  const label = `Manage ${username || uid}`;
  return h("button", { class: "button small", type: "button", "aria-label": label, onclick: act }, "Manage");
}
