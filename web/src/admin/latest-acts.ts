import type { AuditEvent } from "../../../gen/baccarat/v1/moderation_pb.ts";
import { fill, h } from "../dom.ts";
import { actionName } from "./audit.ts";
import { describeFailure } from "./failure.ts";
import { hashOf } from "./routes.ts";
import { loading, showFailed } from "./states.ts";
import { timeElement } from "./time.ts";
import { poll, type ViewContext } from "./view.ts";

/** How often it is read, in milliseconds, and how much of it is shown. */
const EVERY_MS = 5_000;
const MOST = 6;

/** The latest of the audit log. */
export function latestActs({ api, signal }: ViewContext): HTMLElement {
  const body = h("div", {}, loading(3));
  poll(EVERY_MS, signal, async () => {
    try {
      const { events } = await api.admin.listAuditEvents({ pageSize: MOST }, { signal });
      if (signal.aborted) return;
      const none = h("p", { class: "faint" }, "Nobody has changed anything yet.");
      fill(body, events.length === 0 ? none : h("ul", { class: "acts" }, ...events.map(act)));
    } catch (error) {
      if (!signal.aborted) showFailed(body, "Could not load the latest acts", describeFailure(error));
    }
  });
  const all = h("a", { href: hashOf({ view: "audit", room: "", uid: "", actor: "" }) }, "Audit log");
  const title = h("header", { class: "section-header" }, h("h2", {}, "Latest acts"), all);
  return h("section", { "aria-label": "Latest acts" }, title, body);
}

function act({ createTime, action, actor, uid, roomId, facts }: AuditEvent): HTMLElement {
  const subject = [uid, roomId, facts.edge_id ?? ""].filter((part) => part !== "").join(" in ");
  return h(
    "li",
    {},
    timeElement(createTime),
    h("span", { class: "tag" }, actionName(action)),
    h("span", { class: "name" }, subject),
    h("span", { class: "faint" }, actor),
  );
}
