/**
 * Makes a list one stop of the Tab key: arrows, Home and End move within it. Returns what must be called after the list
 * changed. Within an item, buttons marked `data-quiet` are reachable while their item has the focus.
 */
export function rove(list: HTMLElement, selector: string): () => void {
  const items = (): HTMLElement[] => [...list.querySelectorAll<HTMLElement>(selector)];
  let current: HTMLElement | undefined;

  const choose = (item: HTMLElement | undefined): void => {
    if (item === current) return;
    if (current) setReachable(current, false);
    if (item) setReachable(item, true);
    current = item;
  };

  const refresh = (): void => {
    const all = items();
    for (const item of all) if (item !== current) setReachable(item, false);
    if (!current || !all.includes(current)) {
      choose(all.find((item) => item.hasAttribute("aria-current")) ?? (list.role === "log" ? all.at(-1) : all[0]));
    }
  };

  list.addEventListener("focusin", ({ target }) => {
    const item = target instanceof Element ? target.closest<HTMLElement>(selector) : null;
    if (item) choose(item);
  });
  list.addEventListener("keydown", (event) => {
    const all = items();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const to = at < 0 ? undefined : targetOf(event.key, at, all.length);
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    all[to]?.focus();
  });
  refresh();
  return refresh;
}

function targetOf(key: string, at: number, length: number): number | undefined {
  if (key === "ArrowDown") return Math.min(at + 1, length - 1);
  if (key === "ArrowUp") return Math.max(at - 1, 0);
  if (key === "Home") return 0;
  return key === "End" ? length - 1 : undefined;
}

function setReachable(item: HTMLElement, reachable: boolean): void {
  item.tabIndex = reachable ? 0 : -1;
  for (const quiet of item.querySelectorAll<HTMLElement>("[data-quiet]")) quiet.tabIndex = reachable ? 0 : -1;
}
