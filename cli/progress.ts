import type { Session } from "./session.ts";

const WIDTH = 30;

/** A bar on stderr that shows how far something has come: on terminals only, and not with --json. */
export class ProgressBar {
  readonly #session: Session;
  #shown = "";

  constructor(session: Session) {
    this.#session = session;
  }

  /** Draws it anew. */
  show(what: string, done: number, of: number): void {
    const { shell, json } = this.#session;
    if (json || shell.stderr.isTTY !== true) return;
    const share = of === 0 ? 1 : Math.min(1, done / of);
    const filled = Math.round(share * WIDTH);
    const line = `[${"#".repeat(filled)}${"-".repeat(WIDTH - filled)}] ${Math.floor(share * 100)} %  ${done}/${of} ${what}`;
    shell.stderr.write(`\r${line.padEnd(this.#shown.length)}`);
    this.#shown = line;
  }

  /** Takes it away. */
  clear(): void {
    if (this.#shown !== "") this.#session.shell.stderr.write(`\r${" ".repeat(this.#shown.length)}\r`);
    this.#shown = "";
  }
}
