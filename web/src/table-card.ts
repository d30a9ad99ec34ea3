import { h, svg } from "./dom.ts";
import { type ShapeName, shapePath } from "./icons.ts";
import type { Card } from "./table-events.ts";

/** Size of a card's drawing, and the middle of it. */
const SIZE = { width: 60, height: 84 };
const MIDDLE = { x: SIZE.width / 2, y: SIZE.height / 2 };

const SUITS: Readonly<Record<string, ShapeName>> = { S: "spade", H: "heart", D: "diamond", C: "club" };
const RED = /[HD]$/;
const COURT = /^[JQK]/;

/** Columns and rows of the pips. */
const X = { left: 20.5, middle: 30, right: 39.5 };
const Y = { top: 20, upper: 34.7, middle: 42, lower: 49.3, bottom: 64 };
const CORNERS = sides(Y.top, Y.bottom);
const SIX = [...CORNERS, ...sides(Y.middle)];
const EIGHT = [...CORNERS, ...sides(Y.upper, Y.lower)];

/** Where the pips of a rank are. */
const PIPS: Readonly<Record<string, readonly (readonly [x: number, y: number])[]>> = {
  2: centre(Y.top, Y.bottom),
  3: centre(Y.top, Y.middle, Y.bottom),
  4: CORNERS,
  5: [...CORNERS, ...centre(Y.middle)],
  6: SIX,
  7: [...SIX, ...centre(31)],
  8: [...SIX, ...centre(31, 53)],
  9: [...EIGHT, ...centre(Y.middle)],
  T: [...EIGHT, ...centre(27.3, 56.7)],
};

/** Makes a card with its face up. It is a picture only: whatever holds it says what it is. */
export function cardElement(card: Card): HTMLElement {
  const [rank = "", letter = ""] = card;
  const suit = SUITS[letter] ?? "spade";
  const face = svg(
    "svg",
    { class: "card-face", viewBox: `0 0 ${SIZE.width} ${SIZE.height}` },
    ...corner(rank, suit),
    svg("g", { transform: `rotate(180 ${MIDDLE.x} ${MIDDLE.y})` }, ...corner(rank, suit)),
    ...middle(rank, suit),
  );
  const attributes = {
    class: `card-flat ${RED.test(card) ? "red" : "black"}`,
    "data-card": card,
    "aria-hidden": "true",
  };
  return h("div", attributes, face, h("div", { class: "card-back" }));
}

/** Makes a card with its face down. */
export function backElement(): HTMLElement {
  return h("div", { class: "card-flat down", "aria-hidden": "true" }, h("div", { class: "card-back" }));
}

function corner(rank: string, suit: ShapeName): SVGElement[] {
  return [text(rank === "T" ? "10" : rank, { x: 8.6, y: 16, class: "card-index" }), pip(suit, 8.6, 24.5, 0.42)];
}

function middle(rank: string, suit: ShapeName): SVGElement[] {
  if (rank === "A") return [pip(suit, MIDDLE.x, MIDDLE.y, 1.25)];
  if (!COURT.test(rank)) return (PIPS[rank] ?? []).map(([x, y]) => pip(suit, x, y, 0.55, y > MIDDLE.y));
  const frame = svg("rect", { x: 16.5, y: 12, width: 27, height: 60, rx: 2.5, class: "card-frame" });
  const head = rank === "J" ? "star" : "crown";
  const heads = [22, SIZE.height - 22].map((y) => placed(head, MIDDLE.x, y, 0.62, y > MIDDLE.y));
  const letter = text(rank, { x: MIDDLE.x, y: 50.5, class: "card-court" });
  return [frame, svg("g", { class: "card-gold" }, ...heads), letter];
}

function pip(suit: ShapeName, x: number, y: number, scale: number, turned = false): SVGElement {
  return placed(suit, x, y, scale, turned);
}

function placed(name: ShapeName, x: number, y: number, scale: number, turned = false): SVGElement {
  return shapePath(name, `translate(${x} ${y}) scale(${turned ? -scale : scale}) translate(-12 -12)`);
}

function text(content: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const element = svg("text", { ...attributes, "text-anchor": "middle" });
  element.textContent = content;
  return element;
}

function sides(...rows: readonly number[]): (readonly [number, number])[] {
  return rows.flatMap((y) => [[X.left, y] as const, [X.right, y] as const]);
}

function centre(...rows: readonly number[]): (readonly [number, number])[] {
  return rows.map((y) => [X.middle, y] as const);
}
