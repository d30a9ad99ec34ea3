import { AuditAction, type AuditEvent } from "../../../gen/baccarat/v1/moderation_pb.ts";
import { h } from "../dom.ts";
import { PagedTable } from "./paged-table.ts";
import { type AuditFilter, hashOf } from "./routes.ts";
import { searchField } from "./search-field.ts";
import { empty } from "./states.ts";
import { timeElement } from "./time.ts";
import type { ViewContext } from "./view.ts";

const PAGE = 100;
const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(AuditAction).map(([name, value]) => [value, name.toLowerCase().replaceAll("_", " ")]),
);

/** What moderators and operators did, newest first. */
export function auditView({ api, signal }: ViewContext, first: AuditFilter): HTMLElement {
  let filter = first;
  const reload = (): void => {
    history.replaceState(null, "", hashOf({ ...filter, view: "audit" }));
    void table.reload();
  };
  const table = new PagedTable<AuditEvent>({
    name: "Audit log",
    columns: [
      { title: "When", cell: ({ createTime }) => timeElement(createTime) },
      { title: "What", cell: ({ action }) => h("span", { class: "tag" }, actionName(action)) },
      { title: "Whom or where", kind: "wide", cell: subjectCell },
      { title: "By", cell: ({ actor }) => actor },
      { title: "Why", kind: "extra", cell: ({ reason }) => reason },
      { title: "Facts", kind: "extra", cell: factsCell },
    ],
    load: async (pageToken) => {
      const { room: roomId, uid, actor } = filter;
      const page = await api.admin.listAuditEvents({ roomId, uid, actor, pageSize: PAGE, pageToken }, { signal });
      return { items: page.events, nextPageToken: page.nextPageToken };
    },
    empty: () => empty("list", "Nothing was done that this asks for."),
    signal,
  });
  const field = (name: keyof AuditFilter, label: string, placeholder: string): HTMLElement =>
    searchField({
      label,
      placeholder,
      value: first[name],
      signal,
      onChange: (text) => {
        filter = { ...filter, [name]: text };
        reload();
      },
    });
  return h(
    "div",
    { class: "view" },
    h("header", { class: "view-header" }, h("h1", {}, "Audit log")),
    h(
      "div",
      { class: "filters" },
      field("room", "Only in this room", "Room id"),
      field("uid", "Only about this user", "User id"),
      field("actor", "Only by this actor", "service:name, or a moderator"),
    ),
    table.element,
  );
}

/** `AUDIT_ACTION_DELETE_ROOM` is `delete room`. */
export function actionName(action: AuditAction): string {
  return NAMES.get(action) ?? `action ${action}`;
}

function subjectCell({ uid, roomId, facts }: AuditEvent): HTMLElement {
  const room = roomId !== "" && h("a", { href: hashOf({ view: "room", room: roomId }) }, roomId);
  const edge = facts.edge_id !== undefined && h("span", {}, facts.edge_id);
  return h("span", { class: "stacked" }, uid !== "" && h("strong", {}, uid), room, edge);
}

function factsCell({ facts }: AuditEvent): HTMLElement {
  const rows = Object.entries(facts).filter(([name]) => name !== "edge_id");
  return h("span", { class: "stacked" }, ...rows.map(([name, value]) => h("code", {}, `${name}: ${value}`)));
}
