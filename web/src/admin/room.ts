import { h } from "../dom.ts";
import { RoomHeader } from "./room-header.ts";
import { roomPeople } from "./room-people.ts";
import { RoomTail } from "./room-tail.ts";
import { hashOf } from "./routes.ts";
import type { ViewContext } from "./view.ts";

/** One room: its settings, what is said in it, and who is there. */
export function roomView(context: ViewContext, roomId: string): HTMLElement {
  const header = new RoomHeader(context, roomId);
  const tail = new RoomTail(context, roomId);
  const links = h(
    "nav",
    { class: "crumbs", "aria-label": "Room" },
    h("a", { href: hashOf({ view: "rooms", prefix: "" }) }, "Rooms"),
    h("a", { href: hashOf({ view: "clients", by: "room", value: roomId }) }, "Connections"),
    h("a", { href: hashOf({ view: "audit", room: roomId, uid: "", actor: "" }) }, "Audit log"),
  );
  return h(
    "div",
    { class: "view room-view" },
    links,
    header.element,
    h("div", { class: "room-columns" }, tail.element, roomPeople(context, roomId)),
  );
}
