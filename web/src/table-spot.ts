import { fill, h } from "./dom.ts";
import { cardElement } from "./table-card.ts";
import type { Hand, HandName, Winner } from "./table-events.ts";
import { handText, winnerName } from "./table-words.ts";

/** One hand's place on the table: cards come one by one, and what is there already stays as it is. */
export class SpotView {
  readonly element: HTMLElement;
  readonly #name: HandName;
  readonly #points = h("span", { class: "points", "aria-hidden": "true" });
  /** Where cards come to lie; the third lies across. */
  readonly #places = ["first", "second", "third"].map((name) => cardPlace(name));

  constructor(name: HandName) {
    this.#name = name;
    const title = h("span", { class: "spot-name", "aria-hidden": "true" }, winnerName(name));
    this.element = h(
      "div",
      { class: `spot ${name}`, role: "img" },
      h("div", { class: "spot-head" }, title, this.#points),
      h("div", { class: "cards", "aria-hidden": "true" }, ...this.#places),
    );
  }

  /** Shows a hand. @param moves false: cards are there at once. @param winner of the round, when it is settled. */
  show(hand: Hand, winner: Winner | undefined, moves: boolean): void {
    this.element.setAttribute("aria-label", handText(this.#name, hand));
    this.#points.textContent = hand.cards.length === 0 ? "–" : String(hand.total);
    const outcome = winner === undefined ? "" : winner === this.#name ? "won" : winner === "tie" ? "tied" : "lost";
    this.element.dataset.outcome = outcome;
    for (const [index, place] of this.#places.entries()) {
      const card = hand.cards[index];
      if (place.dataset.card === (card ?? "")) continue;
      place.dataset.card = card ?? "";
      place.classList.toggle("dealt", moves);
      fill(place, card !== undefined && cardElement(card));
    }
  }
}

/** Once dealt a card is flat, and so as sharp as a card in space would not be. */
function cardPlace(name: string): HTMLElement {
  const onanimationend = (): void => place.classList.remove("dealt");
  const place: HTMLElement = h("div", { class: `card-place ${name}`, onanimationend });
  return place;
}
