import { fill, h } from "./dom.ts";
import { icon } from "./icons.ts";
import type { Saved, Theme } from "./saved.ts";

const ORDER: readonly Theme[] = [undefined, "light", "dark"];

/** A button that goes round: as the system, light, dark. public/theme.js applies the choice before the page is drawn. */
export function themeButton(saved: Saved): HTMLElement {
  const button = h("button", { class: "icon-button", type: "button" });
  const apply = (): void => {
    const { theme } = saved;
    if (theme === undefined) delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    const label = theme === undefined ? "Theme: as the system" : `Theme: ${theme}`;
    button.setAttribute("aria-label", label);
    button.title = label;
    fill(button, icon(theme === undefined ? "auto" : theme === "light" ? "sun" : "moon"));
  };
  button.addEventListener("click", () => {
    saved.theme = ORDER[(ORDER.indexOf(saved.theme) + 1) % ORDER.length];
    apply();
  });
  apply();
  return button;
}
