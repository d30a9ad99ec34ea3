import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { h } from "../dom.ts";
import { clock, dayLabel, dayOf, duration, fullTime } from "../format.ts";

const SECONDS = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

/** A time to the minute, with the day unless it is today's; all of it as a tooltip. */
export function timeElement(time: Timestamp | undefined): HTMLElement {
  if (time === undefined) return h("span", { class: "faint" }, "–");
  const at = timestampMs(time);
  const now = Date.now();
  const text = dayOf(at) === dayOf(now) ? clock(at) : `${dayLabel(at, now)}, ${clock(at)}`;
  return h("time", { datetime: new Date(at).toISOString(), title: fullTime(at) }, text);
}

/** A time to the second, for logs. */
export function secondsElement(time: Timestamp | undefined): HTMLElement {
  if (time === undefined) return h("span", { class: "faint" }, "–");
  const at = timestampMs(time);
  return h("time", { datetime: new Date(at).toISOString(), title: fullTime(at) }, SECONDS.format(at));
}

/** How long ago it was: 4 s, 12 min, 3 h. */
export function since(time: Timestamp | undefined, now: number): string {
  return time === undefined ? "–" : duration(now - timestampMs(time));
}
