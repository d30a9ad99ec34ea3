import type { Room } from "../../../gen/baccarat/v1/room_pb.ts";
import { fill, h } from "../dom.ts";
import { icon } from "../icons.ts";
import { isRoomId } from "../room-search.ts";
import { count } from "./numbers.ts";
import { PagedTable } from "./paged-table.ts";
import { roomTags } from "./room-header.ts";
import { askNewRoom } from "./room-settings.ts";
import { hashOf } from "./routes.ts";
import { searchField } from "./search-field.ts";
import { empty } from "./states.ts";
import { timeElement } from "./time.ts";
import type { ViewContext } from "./view.ts";

const PAGE = 50;

/** Rooms that have settings or members, found by the beginning of their ids. */
export function roomsView(context: ViewContext, first: string): HTMLElement {
  const { api, signal } = context;
  let prefix = first;
  const exact = h("p", { class: "exact", hidden: true });
  const table = new PagedTable<Room>({
    name: "Rooms",
    columns: [
      { title: "Room", kind: "wide", cell: roomCell },
      { title: "Members", kind: "number", cell: ({ memberCount }) => count(memberCount) },
      { title: "State", cell: (room) => roomTags(room) },
      { title: "Changed", kind: "extra", cell: ({ updateTime }) => timeElement(updateTime) },
    ],
    load: async (pageToken) => {
      const page = await api.rooms.listRooms({ prefix, pageSize: PAGE, pageToken }, { signal });
      showExact(page.rooms);
      return { items: page.rooms, nextPageToken: page.nextPageToken };
    },
    empty: () =>
      prefix === ""
        ? empty("hash", "No room has settings or members yet.")
        : empty("search", `No room whose id begins with “${prefix}” has settings or members.`),
    signal,
  });
  // Where every valid id is a room, one can have a past without being on the list.
  const showExact = (rooms: readonly Room[]): void => {
    exact.hidden = !isRoomId(prefix) || rooms.some(({ roomId }) => roomId === prefix);
    fill(exact, "Look into ", h("a", { href: hashOf({ view: "room", room: prefix }) }, prefix), " all the same.");
  };
  const field = searchField({
    label: "Find rooms by the beginning of their ids",
    placeholder: "Beginning of the room id",
    value: first,
    signal,
    onChange: (text) => {
      prefix = text;
      history.replaceState(null, "", hashOf({ view: "rooms", prefix }));
      void table.reload();
    },
  });
  const create = { class: "button primary", type: "button", onclick: () => askNewRoom(context, prefix) };
  return h(
    "div",
    { class: "view" },
    h("header", { class: "view-header" }, h("h1", {}, "Rooms"), h("button", create, icon("plus"), "New room")),
    h("div", { class: "filters" }, field),
    exact,
    table.element,
  );
}

function roomCell({ roomId, title }: Room): HTMLElement {
  const link = h("a", { href: hashOf({ view: "room", room: roomId }) }, roomId);
  return h("span", { class: "stacked" }, link, title !== "" && h("span", { class: "faint" }, title));
}
