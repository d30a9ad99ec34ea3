import type { Store } from "../saved.ts";

const TOKEN = "baccarat.console.token";

/** The service token of this tab: kept until the tab is closed or it is forgotten, and shown to nobody else. */
export class Session {
  readonly #store: Store;

  constructor(options: { readonly tab: Store }) {
    this.#store = options.tab;
  }

  get token(): string | undefined {
    return this.#store.getItem(TOKEN) ?? undefined;
  }

  remember(token: string): void {
    this.#store.setItem(TOKEN, token);
  }

  forget(): void {
    this.#store.removeItem(TOKEN);
  }
}
