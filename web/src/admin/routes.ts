/** What the console can show, as the part of its address after `#`. */
export type Route =
  | { readonly view: "overview" }
  | { readonly view: "rooms"; readonly prefix: string }
  | { readonly view: "room"; readonly room: string }
  | { readonly view: "clients"; readonly by: ClientFilter; readonly value: string }
  | { readonly view: "edges" }
  | ({ readonly view: "audit" } & AuditFilter);

/** What connections are found by. */
export type ClientFilter = "uid" | "room" | "edge";
export const CLIENT_FILTERS: readonly ClientFilter[] = ["uid", "room", "edge"];

/** What acts are found by; empty: anything. */
export interface AuditFilter {
  readonly room: string;
  readonly uid: string;
  readonly actor: string;
}

/** Reads an address; what means nothing is the overview. */
export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [view = "", id = ""] = path.split("/", 2);
  const given = new URLSearchParams(query);
  const text = (name: string): string => given.get(name) ?? "";
  switch (view) {
    case "rooms": {
      const room = decoded(id);
      return room === "" ? { view, prefix: text("prefix") } : { view: "room", room };
    }
    case "clients": {
      const by = CLIENT_FILTERS.find((name) => text(name) !== "") ?? "uid";
      return { view, by, value: text(by) };
    }
    case "edges":
      return { view };
    case "audit":
      return { view, room: text("room"), uid: text("uid"), actor: text("actor") };
    default:
      return { view: "overview" };
  }
}

/** Writes an address, for `href`. */
export function hashOf(route: Route): string {
  switch (route.view) {
    case "overview":
      return "#/";
    case "room":
      return `#/rooms/${encodeURIComponent(route.room)}`;
    case "rooms":
      return `#/rooms${query({ prefix: route.prefix })}`;
    case "clients":
      return `#/clients${query({ [route.by]: route.value })}`;
    case "edges":
      return "#/edges";
    case "audit":
      return `#/audit${query({ room: route.room, uid: route.uid, actor: route.actor })}`;
  }
}

function query(values: Readonly<Record<string, string>>): string {
  const given = Object.entries(values).filter(([, value]) => value !== "");
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return ""; // a broken address: as if none had been given
  }
}
