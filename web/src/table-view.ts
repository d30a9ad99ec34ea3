import { fill, h, renderOn, setAttribute, svg } from "./dom.ts";
import { plural } from "./format.ts";
import { icon } from "./icons.ts";
import type { Table } from "./table.ts";
import { backElement, cardElement } from "./table-card.ts";
import type { NewShoe, Winner } from "./table-events.ts";
import type { TableState } from "./table-fold.ts";
import { RoadsView } from "./table-roads.ts";
import { SpotView } from "./table-spot.ts";
import {
  announcement,
  countsOf,
  newShoeText,
  phaseText,
  resultDetails,
  secondsLeft,
  winnerName,
} from "./table-words.ts";
import type { Thread } from "./thread.ts";

/** How often the countdown is looked at while it runs, and the rest while nothing does, in milliseconds. */
const TICK_MS = 200;
const IDLE_TICK_MS = 5_000;
const WINNERS: readonly Winner[] = ["player", "tie", "banker"];
const CARDS_IN_DECK = 52;
/** A ten or a court card burns as many as any card does. */
const MOST_BURNED = 10;

/** A room's table: the felt with both hands, the roads below it. Only looked at: nothing here is played for. */
export class TableView {
  readonly element: HTMLElement;
  readonly #thread: Thread;
  readonly #place = h("h2", { class: "table-place" });
  /** What goes on, in a line, while the table is put away. */
  readonly #brief = h("p", { class: "table-brief", hidden: true });
  readonly #shoe = h("p", { class: "table-shoe" });
  readonly #gauge = h("span", { class: "gauge", "aria-hidden": "true" }, h("span", { class: "gauge-left" }));
  readonly #fold: HTMLButtonElement;
  readonly #body: HTMLElement;
  readonly #felt: HTMLElement;
  readonly #phase = h("p", { class: "phase" });
  readonly #details = h("p", { class: "phase-details" });
  readonly #timer = h("div", { class: "timer", role: "timer", hidden: true });
  readonly #seconds = h("span", {});
  readonly #arc = svg("circle", {
    class: "arc",
    cx: 24,
    cy: 24,
    r: 20,
    pathLength: 100,
    "stroke-dasharray": "100 100",
  });
  readonly #spots = { player: new SpotView("player"), banker: new SpotView("banker") };
  readonly #burn = h("div", { class: "burn" });
  readonly #guesses = new Map<Winner, HTMLButtonElement>();
  readonly #tally = h("p", { class: "tally" });
  readonly #roads: RoadsView;
  readonly #counts = h("p", { class: "counts" });
  readonly #voice = h("p", { class: "hidden", role: "status" });
  #timeout: ReturnType<typeof setTimeout> | undefined;
  /** What was shown last: the same needs no drawing, and nothing moves the first time. */
  #shown: TableState | undefined;

  constructor(options: { readonly thread: Thread; readonly signal: AbortSignal }) {
    const { thread, signal } = options;
    this.#thread = thread;
    this.#roads = new RoadsView(signal);
    const ring = svg(
      "svg",
      { viewBox: "0 0 48 48" },
      svg("circle", { class: "track", cx: 24, cy: 24, r: 20 }),
      this.#arc,
    );
    this.#timer.append(ring, this.#seconds);
    this.#felt = h(
      "div",
      { class: "felt" },
      h("div", { class: "felt-top" }, h("div", { class: "felt-words" }, this.#phase, this.#details), this.#timer),
      h("div", { class: "spots" }, this.#spots.player.element, this.#spots.banker.element),
      this.#burn,
      h("div", { class: "guesses" }, this.#guessButtons(), this.#tally),
    );
    const fairness = h("p", { class: "fairness" }, "A game to watch. No money, no real betting.");
    const foot = h("div", { class: "table-foot" }, this.#counts, fairness);
    this.#body = h("div", { class: "table-body" }, this.#felt, this.#roads.element, foot);
    const toggle = { class: "icon-button", type: "button" };
    this.#fold = h("button", { ...toggle, onclick: () => this.#toggle() }, icon("fold"));
    const shoe = h("div", { class: "table-left" }, this.#shoe, this.#gauge);
    const bar = h("header", { class: "table-bar" }, this.#place, this.#brief, shoe, this.#fold);
    this.element = h("section", { class: "table", "aria-label": "Baccarat table" }, bar, this.#body, this.#voice);
    signal.addEventListener("abort", () => clearTimeout(this.#timeout), { once: true });
    renderOn([(listener) => thread.changes.on(listener)], signal, () => this.#render());
  }

  get #table(): Table {
    return this.#thread.table;
  }

  #toggle(): void {
    this.#table.collapsed = !this.#table.collapsed;
    this.#renderFold();
    this.#tick();
  }

  #renderFold(): void {
    const { collapsed } = this.#table;
    const label = collapsed ? "Show the table" : "Hide the table";
    this.element.classList.toggle("collapsed", collapsed);
    this.#body.hidden = collapsed;
    setAttribute(this.#fold, "aria-expanded", String(!collapsed));
    setAttribute(this.#fold, "aria-label", label);
    this.#fold.title = label;
  }

  #render(): void {
    const { state } = this.#table;
    if (state === undefined) return;
    if (state !== this.#shown) {
      this.#renderTable(state, this.#shown);
      this.#shown = state;
    }
    this.#tick();
  }

  #renderTable(state: TableState, before: TableState | undefined): void {
    const { phase, hands, result, shoe, round, ready, cardsLeft } = state;
    this.#renderFold();
    this.element.dataset.phase = phase;
    this.element.dataset.winner = result?.winner ?? "";
    this.#place.textContent = round > 0 ? `Round ${round}` : "Baccarat";
    const last = state.lastOfShoe && phase !== "settled" ? "last round" : state.cutCardOut ? "cut card is out" : "";
    this.#shoe.textContent = [shoe > 0 && `Shoe ${shoe}`, `${plural(cardsLeft, "card")} left`, last]
      .filter(Boolean)
      .join(" · ");
    const full = (ready?.decks ?? 0) * CARDS_IN_DECK;
    this.#gauge.style.setProperty("--left", `${full > 0 ? Math.min(100, (cardsLeft / full) * 100) : 0}%`);
    this.#gauge.classList.toggle("cut", state.cutCardOut);
    const moves = before !== undefined;
    for (const name of ["player", "banker"] as const) this.#spots[name].show(hands[name], result?.winner, moves);
    fill(this.#burn, ...(phase === "shuffling" && ready !== undefined ? burnElements(ready) : []));
    this.#roads.show(state);
    this.#renderCounts(state);
    // Only what happens while one listens, and of that not every card.
    const news =
      before !== undefined && `${before.phase} ${before.round}` !== `${phase} ${round}` && announcement(state);
    if (news) this.#voice.textContent = news;
  }

  #renderCounts(state: TableState): void {
    const counts = countsOf(state);
    fill(
      this.#counts,
      ...WINNERS.map((winner) =>
        h(
          "span",
          { class: `count ${winner}` },
          h("span", {}, winnerName(winner)),
          h("strong", {}, String(counts[winner])),
        ),
      ),
    );
  }

  /** What depends on the time: the countdown, and whether the dealer is still there. */
  #tick(): void {
    const { state, clock } = this.#table;
    clearTimeout(this.#timeout);
    if (state === undefined) return;
    const now = clock.now();
    const seconds = secondsLeft(state, now);
    this.#phase.textContent = phaseText(state, now);
    this.#brief.hidden = !this.#table.collapsed;
    this.#brief.textContent = this.#table.collapsed
      ? `${phaseText(state, now)}${seconds > 0 ? ` · ${seconds} s` : ""}`
      : "";
    this.#timer.hidden = seconds === 0;
    if (seconds > 0) {
      this.#seconds.textContent = String(seconds);
      this.#timer.classList.toggle("soon", seconds <= 3);
      const share = Math.min(1, (state.closesAt - now) / state.bettingMs);
      this.#arc.setAttribute("stroke-dasharray", `${(share * 100).toFixed(1)} 100`);
    }
    this.#renderGuesses(state, seconds > 0);
    this.#timeout = setTimeout(() => this.#tick(), seconds > 0 ? TICK_MS : IDLE_TICK_MS);
  }

  #guessButtons(): HTMLElement {
    const attributes = { class: "guess-buttons", role: "group", "aria-label": "Your guess, for the fun of it" };
    return h(
      "div",
      attributes,
      ...WINNERS.map((winner) => {
        const onclick = (): void => this.#guess(winner);
        const button = h("button", { class: `guess ${winner}`, type: "button", onclick }, winnerName(winner));
        this.#guesses.set(winner, button);
        return button;
      }),
    );
  }

  #guess(winner: Winner): void {
    const { state, guesses } = this.#table;
    if (state === undefined) return;
    guesses.make(state, winner);
    this.#tick();
  }

  #renderGuesses(state: TableState, open: boolean): void {
    const { guesses } = this.#table;
    const guess = guesses.of(state);
    for (const [winner, button] of this.#guesses) {
      button.disabled = !open;
      setAttribute(button, "aria-pressed", String(guess === winner));
    }
    const { right, made } = guesses.tally;
    this.#tally.textContent = made > 0 ? `${right} of ${made} right` : "";
    this.#details.textContent = detailsOf(state, guess, open);
  }
}

/** The first card of a shoe, and those that it burns. */
function burnElements({ burnCard, burned }: NewShoe): HTMLElement[] {
  return [cardElement(burnCard), ...Array.from({ length: Math.min(burned, MOST_BURNED) }, backElement)];
}

function detailsOf(state: TableState, guess: Winner | undefined, open: boolean): string {
  if (state.phase === "shuffling") return newShoeText(state);
  if (state.result !== undefined)
    return [resultDetails(state), guess && verdict(guess, state)].filter(Boolean).join(" · ");
  if (guess !== undefined) return `You guessed ${winnerName(guess)}`;
  return open ? "Just a guess, for the fun of it" : "";
}

function verdict(guess: Winner, { result }: TableState): string {
  if (guess === result?.winner) return "as you guessed";
  return result?.winner === "tie" ? "your guess stands aside" : `you guessed ${winnerName(guess)}`;
}
