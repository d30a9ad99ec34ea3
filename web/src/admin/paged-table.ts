import { type Child, fill, h } from "../dom.ts";
import { describeFailure } from "./failure.ts";
import { syncRows, textOf } from "./rows.ts";
import { loading, showFailed } from "./states.ts";
import { poll } from "./view.ts";

/** A column of a table. */
export interface Column<Item> {
  readonly title: string;
  readonly cell: (item: Item) => Child;
  /** `number` to the right, `wide` takes what is left, `extra` is left out on a phone, `actions` has buttons. */
  readonly kind?: "number" | "wide" | "extra" | "actions";
}

/** A page of items, and where the next one begins; empty at the end. */
export interface ItemPage<Item> {
  readonly items: readonly Item[];
  readonly nextPageToken: string;
}

/** What a table shows. */
export interface PagedTableOptions<Item> {
  /** What it is a table of: its name, and `Could not load …` when it cannot be had. */
  readonly name: string;
  readonly columns: readonly Column<Item>[];
  readonly load: (pageToken: string) => Promise<ItemPage<Item>>;
  /** What stands in place of a table without rows. */
  readonly empty: () => HTMLElement;
  readonly signal: AbortSignal;
}

/** How often a table of one page is read anew, in milliseconds. */
const EVERY_MS = 4_000;

/**
 * A table that is read page by page, from the start, and anew every now and then as long as nobody asked for more than the
 * first page. Reading it anew leaves what is there until the answer has come, and touches nothing when nothing changed.
 */
export class PagedTable<Item> {
  readonly element = h("div", { class: "paged" });
  readonly #options: PagedTableOptions<Item>;
  readonly #rows = h("tbody", {});
  readonly #more = h("div", { class: "paged-more" });
  readonly #table: HTMLElement;
  /** Only the latest reading counts. */
  #reading = 0;
  #pages = 0;
  #items: readonly Item[] = [];

  constructor(options: PagedTableOptions<Item>) {
    this.#options = options;
    const titles = options.columns.map(({ title, kind }) =>
      h("th", { scope: "col", class: kind }, title === "" ? h("span", { class: "hidden" }, "Actions") : title),
    );
    this.#table = h(
      "table",
      {},
      h("caption", { class: "hidden" }, options.name),
      h("thead", {}, h("tr", {}, ...titles)),
      this.#rows,
    );
    fill(this.element, loading());
    poll(EVERY_MS, options.signal, async () => {
      if (this.#pages <= 1 && this.element.getAttribute("aria-busy") !== "true") await this.reload();
    });
  }

  /** Reads it from the beginning; never rejects. */
  async reload(): Promise<void> {
    await this.#read("", (items) => {
      this.#pages = 1;
      this.#items = items;
      this.#render();
      // What is said of an empty table is about what was asked for, which may have changed.
      if (items.length === 0) fill(this.element, this.#options.empty());
      else if (!this.#table.isConnected) fill(this.element, this.#table, this.#more);
    });
  }

  async #read(pageToken: string, show: (items: readonly Item[]) => void): Promise<void> {
    const reading = ++this.#reading;
    const { load, name, signal } = this.#options;
    this.element.setAttribute("aria-busy", "true");
    try {
      const { items, nextPageToken } = await load(pageToken);
      if (reading !== this.#reading || signal.aborted) return;
      show(items);
      this.#offerMore(nextPageToken);
    } catch (error) {
      if (reading !== this.#reading || signal.aborted) return;
      const what = `Could not load ${name.toLowerCase()}`;
      const retry = (): void => void this.#read(pageToken, show);
      showFailed(pageToken === "" ? this.element : this.#more, what, describeFailure(error), retry);
    }
    this.element.setAttribute("aria-busy", "false");
  }

  #offerMore(pageToken: string): void {
    const more = (): void =>
      void this.#read(pageToken, (items) => {
        this.#pages++;
        const known = this.#items.length;
        const byKeyboard = this.#more.contains(document.activeElement);
        this.#items = [...this.#items, ...items];
        this.#render();
        // Whoever asked for more by keyboard goes on at the first of it.
        if (byKeyboard) this.#rows.children[known]?.querySelector<HTMLElement>("a, button")?.focus();
      });
    const button = h("button", { class: "button", type: "button", onclick: more }, "Load more");
    fill(this.#more, pageToken !== "" && button);
  }

  /** A row stays as it is for as long as what it shows. */
  #render(): void {
    const { columns } = this.#options;
    const rows = this.#items.map((item) => ({ key: textOf(item), rev: "", item }));
    syncRows(this.#rows, rows, ({ item }) =>
      h("tr", {}, ...columns.map(({ cell, kind }) => h("td", { class: kind }, cell(item)))),
    );
  }
}
