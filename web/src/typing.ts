/** How long somebody is shown as typing after they said so: the server passes a hint on at most once per 2 s. */
export const TYPING_SHOWN_MS = 4_000;

/** Who is typing. `now` is in milliseconds. */
export class Typing {
  readonly #until = new Map<string, { readonly name: string; readonly until: number }>();

  /** Somebody said that they are typing. */
  heard(uid: string, name: string, now: number): void {
    this.#until.set(uid, { name, until: now + TYPING_SHOWN_MS });
  }

  /** Somebody stopped: they sent what they typed, or left. */
  stopped(uid: string): void {
    this.#until.delete(uid);
  }

  /** Names of those who are typing. */
  names(now: number): string[] {
    for (const [uid, { until }] of this.#until) if (until <= now) this.#until.delete(uid);
    return [...this.#until.values()].map(({ name }) => name);
  }

  /** Ann is typing · Ann and Bob are typing · Several people are typing; empty when nobody is. */
  text(now: number): string {
    const names = this.names(now);
    if (names.length === 0) return "";
    if (names.length > 3) return "Several people are typing";
    const last = names.at(-1) ?? "";
    const all = names.length === 1 ? last : `${names.slice(0, -1).join(", ")} and ${last}`;
    return `${all} ${names.length === 1 ? "is" : "are"} typing`;
  }
}
