import { h, setAttribute } from "../dom.ts";
import { clock } from "../format.ts";
import type { ViewContext } from "./view.ts";

/** Whether the numbers shown are those of now, and if not, since when and why. */
export function liveStatus({ measures, signal }: ViewContext): HTMLElement {
  const status = h("p", { class: "live-status", role: "status" });
  const render = (): void => {
    const { latest, failure } = measures;
    setAttribute(status, "data-stale", failure !== undefined);
    const text = textOf(latest?.at, failure?.message);
    // The same once more would be read out once more.
    if (status.textContent !== text) status.textContent = text;
  };
  measures.listen(signal, render);
  render();
  return status;
}

function textOf(at: number | undefined, problem: string | undefined): string {
  if (at === undefined) return "";
  return problem === undefined ? "Live, every 2 s" : `Not updated since ${clock(at)}. ${problem}`;
}
