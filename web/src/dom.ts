/**
 * Elements, made by hand: text goes in as text, never as markup, so nothing anybody writes can become part of the page.
 */

/** Attributes by name; functions are listeners for the event of that name, false and undefined leave it out. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined | ((event: never) => void)>>;

/** What goes into an element; false and undefined are left out. */
export type Child = Node | string | false | undefined;

const SVG = "http://www.w3.org/2000/svg";

/** Makes an element. `on…` attributes are listeners: `{ onclick: () => … }`. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  element.append(...present(children));
  return element;
}

/** Makes an SVG element. */
export function svg(tag: string, attributes: Attributes, ...children: readonly SVGElement[]): SVGElement {
  const element = document.createElementNS(SVG, tag);
  setAttributes(element, attributes);
  element.append(...children);
  return element;
}

/** Puts these children in place of those that are there. */
export function fill(element: Element, ...children: readonly Child[]): void {
  element.replaceChildren(...present(children));
}

/** Sets an attribute, or takes it away. */
export function setAttribute(element: Element, name: string, value: string | number | boolean | undefined): void {
  if (value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

/** What syncList needs to know of an item. */
export interface Keyed {
  /** Identity: the same key keeps the same element. */
  readonly key: string;
  /** Appearance: another revision makes a new element. */
  readonly rev: string;
}

const REVISIONS = new WeakMap<Element, Keyed>();

/** Makes the children of `parent` be those of `items`, and touches only what changed: focus and scroll position stay. */
export function syncList<Item extends Keyed>(
  parent: Element,
  items: readonly Item[],
  make: (item: Item) => HTMLElement,
): void {
  const known = new Map<string, Element>();
  for (const child of parent.children) {
    const keyed = REVISIONS.get(child);
    if (keyed) known.set(keyed.key, child);
  }
  const wanted = items.map((item) => {
    const child = known.get(item.key);
    if (child && REVISIONS.get(child)?.rev === item.rev) return child;
    const made = make(item);
    REVISIONS.set(made, { key: item.key, rev: item.rev });
    return made;
  });
  const kept = new Set(wanted);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  let place = parent.firstElementChild;
  for (const child of wanted) {
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
}

/** Runs `render` now, and after changes once per frame; ends with the signal. */
export function renderOn(
  subscribe: readonly ((listener: () => void) => () => void)[],
  signal: AbortSignal,
  render: () => void,
): void {
  let planned = false;
  const plan = (): void => {
    if (planned) return;
    planned = true;
    requestAnimationFrame(() => {
      planned = false;
      if (!signal.aborted) render();
    });
  };
  for (const on of subscribe) {
    const off = on(plan);
    signal.addEventListener("abort", off, { once: true });
  }
  render();
}

function present(children: readonly Child[]): (Node | string)[] {
  return children.filter((child) => child !== undefined && child !== false);
}

function setAttributes(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value as (event: Event) => void);
    else setAttribute(element, name, value);
  }
}
