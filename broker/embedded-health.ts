import type { BrokerHealth, Unsubscribe } from "./broker.ts";

/** Health as the set of what is wrong: the broker is well when nothing is. */
export class HealthState {
  readonly #problems = new Map<string, string>();
  readonly #listeners = new Set<(health: BrokerHealth) => void>();

  /** What it is now; of several reasons the first that came up. */
  get current(): BrokerHealth {
    const [reason] = this.#problems.values();
    return reason === undefined ? { ok: true } : { ok: false, reason };
  }

  /** Sets the reason of one kind of problem, or ends it with undefined. */
  set(kind: string, reason: string | undefined): void {
    const before = this.current;
    if (reason === undefined) this.#problems.delete(kind);
    else this.#problems.set(kind, reason);
    const health = this.current;
    if (reasonOf(health) === reasonOf(before)) return;
    for (const listener of this.#listeners) listener(health);
  }

  /** True while there is a problem of this kind. */
  has(kind: string): boolean {
    return this.#problems.has(kind);
  }

  /** Calls back after every change. */
  listen(listener: (health: BrokerHealth) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

const reasonOf = (health: BrokerHealth): string | undefined => (health.ok ? undefined : health.reason);
