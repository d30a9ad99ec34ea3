import { enterAll } from "./entrance.ts";
import type { RawClient } from "./raw-client.ts";
import type { Server } from "./servers.ts";
import { Turns } from "./turns.ts";

/** Members that are read from at once; the last one to be written to is among them. */
const SAMPLED = 20;

/** The members of one room. All of them receive everything; a sample of them is looked at. */
export class Audience implements Disposable {
  /** Members who speak; they are members like others. */
  readonly speakers: readonly RawClient[];
  readonly sampled: readonly RawClient[];
  readonly size: number;
  readonly #clients: readonly RawClient[];
  readonly #turns: Turns;

  /** Lets `members` in, of whom `speakers` speak. */
  static async enter(server: Server, room: string, members: number, speakers = 1): Promise<Audience> {
    const clients = await enterAll(server.port, Array(members).fill(server.enter(room)));
    return new Audience(clients, speakers);
  }

  private constructor(clients: readonly RawClient[], speakers: number) {
    this.#clients = clients;
    this.size = clients.length;
    this.speakers = clients.slice(0, speakers);
    const listeners = clients.slice(speakers);
    const step = Math.max(1, Math.floor(listeners.length / SAMPLED));
    this.sampled = listeners.filter((_, index) => (listeners.length - 1 - index) % step === 0);
    const sampled = new Set(this.sampled);
    this.#turns = new Turns(clients.filter((client) => !sampled.has(client)));
  }

  /** More or less than so far will be said from now on. */
  expectChange(): void {
    this.#turns.restart();
  }

  /** Everybody leaves. */
  [Symbol.dispose](): void {
    this.#turns.stop();
    for (const client of this.#clients) client.close();
  }
}

/** True for what somebody said, not for what else a room is told. */
export function isMessage(frame: Buffer): boolean {
  return frame.length > 100 && frame.toString("latin1", 0, 24).includes("new_message");
}
