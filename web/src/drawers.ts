/** Below this the rooms are in a drawer, and below the other the members are. As in style/layout.css. */
const NARROW = "(max-width: 47.99rem)";
const MEDIUM = "(max-width: 67.99rem)";

/** Which drawer is open. */
export type DrawerName = "rooms" | "members";

/** The columns at the sides, which on narrow screens are drawers: one at a time, and what is behind it cannot be reached. */
export class Drawers {
  readonly #app: HTMLElement;
  readonly #parts: Readonly<Record<DrawerName, HTMLElement>>;
  readonly #stage: HTMLElement;
  #open: DrawerName | undefined;
  #opener: Element | null = null;

  constructor(options: {
    readonly app: HTMLElement;
    readonly rooms: HTMLElement;
    readonly members: HTMLElement;
    readonly stage: HTMLElement;
    readonly signal: AbortSignal;
  }) {
    this.#app = options.app;
    this.#parts = { rooms: options.rooms, members: options.members };
    this.#stage = options.stage;
    for (const query of [NARROW, MEDIUM]) {
      matchMedia(query).addEventListener("change", () => this.close(), { signal: options.signal });
    }
    this.#apply();
  }

  /** Opens a drawer; does nothing where that part is a column. */
  open(name: DrawerName): void {
    if (!isDrawer(name) || this.#open === name) return;
    this.#opener ??= document.activeElement;
    this.#open = name;
    this.#apply();
    this.#parts[name].querySelector<HTMLElement>("input, button:not([tabindex='-1'])")?.focus();
  }

  /** Shows the members, or hides them, as drawer or column. */
  toggleMembers(): void {
    if (!isDrawer("members")) this.#app.classList.toggle("members-hidden");
    else if (this.#open === "members") this.close();
    else this.open("members");
  }

  /** Closes the drawer that is open; false when none is. The focus goes back where it was. */
  close(): boolean {
    const wasOpen = this.#open !== undefined;
    this.#open = undefined;
    this.#apply();
    if (wasOpen && this.#opener instanceof HTMLElement) this.#opener.focus();
    this.#opener = null;
    return wasOpen;
  }

  #apply(): void {
    this.#app.dataset.drawer = this.#open ?? "";
    for (const name of ["rooms", "members"] as const) {
      this.#parts[name].inert = isDrawer(name) ? this.#open !== name : this.#open !== undefined;
    }
    this.#stage.inert = this.#open !== undefined;
  }
}

function isDrawer(name: DrawerName): boolean {
  return matchMedia(name === "rooms" ? NARROW : MEDIUM).matches;
}
