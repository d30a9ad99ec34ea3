import { h } from "../dom.ts";
import { plural } from "../format.ts";
import { Chart } from "./chart.ts";
import { lagOf } from "./lag.ts";
import type { Measured } from "./measures.ts";
import { count, milliseconds, rate } from "./numbers.ts";
import type { ViewContext } from "./view.ts";

/** A part of the overview, which is told of new numbers. */
export interface Drawn {
  readonly element: HTMLElement;
  draw(measured: Measured): void;
}

/** The four numbers that say how the whole is, each with its chart. */
export function tilesOf({ measures, signal }: ViewContext): Drawn {
  const tile = (name: string, label: string, format: (value: number) => string): Tile =>
    new Tile({ chart: { samples: measures.samples, name, label, format, signal }, label });
  const connections = tile("connections", "Connections", count);
  const rooms = tile("rooms", "Rooms", count);
  const messages = tile("messages", "Messages per second", rate);
  const lag = tile("lag", "Delivery lag", milliseconds);
  const all = [connections, rooms, messages, lag];
  return {
    element: h("div", { class: "tiles" }, ...all.map(({ element }) => element)),
    draw({ stats, edges }) {
      const delay = lagOf(edges);
      connections.show(count(stats.clients), plural(stats.users, "user"));
      rooms.show(count(stats.rooms), plural(stats.members, "member"));
      messages.show(rate(stats.eventsPerSecond), "stored, in all rooms");
      lag.show(
        delay === undefined ? "–" : milliseconds(delay.meanMs),
        delay === undefined ? "nothing to deliver" : `99 % within ${milliseconds(delay.p99Ms)}`,
      );
    },
  };
}

/** A number, what it means, and its chart. */
class Tile {
  readonly element: HTMLElement;
  readonly #value = h("p", { class: "tile-value" });
  readonly #note = h("p", { class: "tile-note" });
  readonly #chart: Chart;
  #noted = "";
  #pointed: string | undefined;

  constructor({ chart, label }: { chart: ConstructorParameters<typeof Chart>[0]; label: string }) {
    const onPoint = (text: string | undefined): void => {
      this.#pointed = text;
      this.#renderNote();
    };
    this.#chart = new Chart({ ...chart, onPoint });
    this.element = h(
      "section",
      { class: "tile", "aria-label": label },
      h("h2", { class: "tile-label" }, label),
      this.#value,
      this.#note,
      this.#chart.element,
    );
  }

  show(value: string, note: string): void {
    this.#value.textContent = value;
    this.#noted = note;
    this.#renderNote();
    this.#chart.draw();
  }

  #renderNote(): void {
    this.#note.textContent = this.#pointed ?? this.#noted;
  }
}
