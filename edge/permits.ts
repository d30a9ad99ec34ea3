/**
 * Remembers what was permitted, so that it is asked only once. Those who ask while the answer is on its way share it, and
 * go on in the order they asked. What was not used for longest is forgotten; a refusal is not remembered.
 */
export class Permits {
  readonly #max: number;
  readonly #answers = new Map<string, Promise<unknown>>();

  /** `max` is how many permits are remembered. */
  constructor(options: { readonly max: number }) {
    this.#max = options.max;
  }

  /** Resolves when `key` is permitted. @throws what `ask` rejects with. */
  async need(key: string, ask: () => Promise<unknown>): Promise<void> {
    const answer = this.#answers.get(key) ?? ask();
    this.#answers.delete(key);
    this.#answers.set(key, answer);
    if (this.#answers.size > this.#max) this.#forgetOldest();
    try {
      await answer;
    } catch (error) {
      if (this.#answers.get(key) === answer) this.#answers.delete(key);
      throw error;
    }
  }

  #forgetOldest(): void {
    for (const key of this.#answers.keys()) {
      this.#answers.delete(key);
      return;
    }
  }
}
