import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "../../../gen/baccarat/v1/client_pb.ts";
import { type Child, h } from "../dom.ts";
import { fullTime, plural } from "../format.ts";
import { icon } from "../icons.ts";
import { ask, openSheet } from "./dialog.ts";
import { askErase } from "./erase.ts";
import { askBan } from "./moderation.ts";
import { askRevoke } from "./revoke.ts";
import { hashOf } from "./routes.ts";
import type { ViewContext } from "./view.ts";

/** Everything about one connection, and what can be done with it and its user. */
export function openClient(context: ViewContext, client: Client, onChanged: () => void): void {
  const { uid, username, clientId, roomIds, connectTime } = client;
  const name = username || uid;
  const at = connectTime === undefined ? "–" : fullTime(timestampMs(connectTime));
  // One dialog at a time: the next takes the place of this one, and the focus goes back to where this one was opened.
  const next = (act: () => void) => () => {
    sheet.close();
    act();
  };
  const target = { uid, name, roomId: roomIds.length === 1 ? (roomIds[0] ?? "") : "" };
  const sheet = openSheet(
    name,
    facts([
      ["User id", h("code", {}, uid)],
      ["Connection", h("code", {}, clientId)],
      ["Kind", client.guest ? "Guest" : "Logged in with a token"],
      ["Rooms", roomIds.length === 0 ? "None" : roomLinks(roomIds, () => sheet.close())],
      ["Edge", client.edgeId],
      ["Address", h("code", {}, client.remoteAddr)],
      ["Connected", at],
    ]),
    h(
      "div",
      { class: "sheet-tools" },
      tool(
        "Disconnect",
        "power",
        next(() => askDisconnect(context, client, { clientId, uid }, onChanged)),
      ),
      tool(
        "Disconnect the user",
        "users",
        next(() => askDisconnect(context, client, { uid }, onChanged)),
      ),
      tool(
        "Ban from a room",
        "ban",
        next(() => askBan(context, target, onChanged)),
      ),
      tool(
        "Revoke tokens",
        "key",
        next(() => askRevoke(context, uid)),
      ),
      tool(
        "Delete messages",
        "trash",
        next(() => askErase(context, uid, name)),
      ),
    ),
  );
}

function askDisconnect(
  { api, toasts }: ViewContext,
  { username, uid }: Client,
  // The user is named in either case: that is whom the audit log says it was about.
  which: { readonly uid: string; readonly clientId?: string },
  onDone: () => void,
): void {
  const name = username || uid;
  ask({
    title: `Disconnect ${name}?`,
    text: `${which.clientId === undefined ? "Every connection of this user is" : "This connection is"} closed with 4503, and does not come back by itself.`,
    fields: [{ name: "reason", label: "Reason", maxLength: 120, hint: "Shown to the client, at most 120 bytes" }],
    act: "Disconnect",
    danger: true,
    run: async ({ reason = "" }) => {
      const { disconnected } = await api.admin.disconnectClients({ ...which, reason });
      toasts.say(`${plural(disconnected, "connection")} closed.`, "good");
      onDone();
    },
  });
}

function facts(rows: readonly (readonly [string, Child])[]): HTMLElement {
  return h(
    "dl",
    { class: "facts" },
    ...rows.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
  );
}

function roomLinks(rooms: readonly string[], onChosen: () => void): HTMLElement {
  const link = (room: string): HTMLElement => h("a", { href: hashOf({ view: "room", room }), onclick: onChosen }, room);
  return h("span", { class: "stacked" }, ...rooms.map(link));
}

function tool(label: string, picture: Parameters<typeof icon>[0], act: () => void): HTMLElement {
  return h("button", { class: "button", type: "button", onclick: act }, icon(picture), label);
}
