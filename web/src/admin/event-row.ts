import type { Event } from "../../../gen/baccarat/v1/event_pb.ts";
import { h } from "../dom.ts";
import { secondsElement } from "./time.ts";

/** Longest JSON that is shown in one line. */
const LINE = 160;

/** A stored event in one line: when, where in the log, who, and what. */
export function eventRow(
  event: Event,
  options: { readonly gap: boolean; readonly actions: HTMLElement | false },
): HTMLElement {
  return h(
    "li",
    { class: options.gap ? "event gap" : "event", "data-seq": String(event.seq), tabindex: -1 },
    secondsElement(event.sent),
    h("span", { class: "seq" }, `#${event.seq}`),
    h("div", { class: "what" }, ...bodyOf(event)),
    options.actions,
  );
}

function bodyOf({ body }: Event): (HTMLElement | string)[] {
  switch (body.case) {
    case "message": {
      const { uid, username, from, message, imageUrl } = body.value;
      const name = from || username || uid;
      const parts: (HTMLElement | string)[] = [
        h("strong", { title: uid }, name),
        h("span", { class: "said" }, message),
      ];
      if (imageUrl !== "") parts.push(h("code", {}, imageUrl));
      return parts;
    }
    case "customEvent": {
      const { type, dataJson, byUid, snapshotKey } = body.value;
      const tag = h("span", { class: "tag", title: byUid }, snapshotKey === "" ? type : `${type} ⇢ ${snapshotKey}`);
      if (dataJson.length <= LINE) return [tag, h("code", {}, dataJson)];
      const summary = h("summary", {}, tag, h("code", {}, `${dataJson.slice(0, LINE)}…`));
      return [h("details", {}, summary, h("pre", {}, pretty(dataJson)))];
    }
    case "deletion":
      return [h("span", { class: "faint" }, `${body.value.byUid} deleted #${body.value.deletedSeq}`)];
    default:
      return [h("span", { class: "faint" }, "An event of a kind that this console does not know")];
  }
}

function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), undefined, 2);
  } catch {
    return json; // shown as it is stored
  }
}
