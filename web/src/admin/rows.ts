import { type Keyed, syncList } from "../dom.ts";

/** Everything an item says: the same as long as nothing about it changed. */
export function textOf(item: unknown): string {
  return JSON.stringify(item, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value));
}

/** As syncList; whoever was at a row that was made anew, or is gone, goes on at the one in its place. */
export function syncRows<Item extends Keyed>(
  parent: Element,
  items: readonly Item[],
  make: (item: Item) => HTMLElement,
): void {
  const at = [...parent.children].findIndex((row) => row.contains(document.activeElement));
  syncList(parent, items, make);
  if (at < 0 || parent.contains(document.activeElement)) return;
  const row = parent.children[Math.min(at, parent.children.length - 1)];
  const target = row?.querySelector<HTMLElement>("td.actions button") ?? row?.querySelector<HTMLElement>("button, a");
  (target ?? parent.closest<HTMLElement>("main"))?.focus();
}
