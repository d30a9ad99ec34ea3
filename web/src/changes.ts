/** Tells whoever shows something that it has changed; what it is now, they read from its owner. */
export class Changes {
  readonly #listeners = new Set<() => void>();

  /** Calls `listener` after every change; returns what ends it. */
  on(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Says that something changed. */
  tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
